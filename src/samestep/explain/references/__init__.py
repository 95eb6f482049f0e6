"""What frameworks compute, in NumPy float64, with every setting a parameter and the source of each formula beside it."""
