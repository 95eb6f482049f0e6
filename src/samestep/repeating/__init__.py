"""Or luck? Trainings from many seeds, and what may be said of them.

statistics.py   values of seeds to a result: intervals, tests, verdicts
deciding.py     adding seeds until it is decided, with the error of all looks held
"""
