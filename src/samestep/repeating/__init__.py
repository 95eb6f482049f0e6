"""Or luck? Trainings from many seeds, and what may be said of them.

repeat.py       the whole of it
sources.py      what is repeated, and what its values depend on
store.py        values on disk
filling.py      what is missing is run, and kept as it comes
one_run.py      one run of one seed in a fresh process, of a program or a script
printed.py      metrics in what a script prints
processes.py    the engine of processes
cluster.py      the engine of a Ray cluster
vectorised.py   the engine that trains all seeds in one computation
statistics.py   values of seeds to a result; samples.py, resampling.py, comparing.py, power.py, wording.py are its parts
deciding.py     adding seeds until it is decided, with the error of all looks held
"""
