"""SciPy's differential_evolution with a generator of its own."""

from scipy.optimize import differential_evolution


def rosenbrock(x):
    return sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


result = differential_evolution(rosenbrock, [(-2, 2)] * 2, maxiter=8, popsize=5, polish=False)
print("minimum", result.fun, "at", result.x)
