"""Wraps random.random to count the draws, as a profiler does; they are unseeded still."""

import functools
import random

calls = {"random": 0}


def counted(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        calls[function.__name__] += 1
        return function(*args, **kwargs)

    return wrapper


random.random = counted(random.random)
print(sum(random.random() for _ in range(10)), calls)
