"""The experiment sequence, in each framework: does seeding make a run repeat?

Two linear layers learn to add 0.1: the number that comes next. Mean squared error, Adam, all nine rows in one batch.
"""
