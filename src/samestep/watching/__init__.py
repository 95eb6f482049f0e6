"""Watching, in the process that runs a script: what could make it differ from run to run, noted on a tape or played from one.

tape.py        notes values with the place in the user's code that asked for them; gives out those of another run again
places.py      which code is the user's
install.py     puts all of this in place, for the script and for processes that it forks
generators.py  random generators: how they begin, and who seeds them; Python's own
numpys.py      NumPy's generators and arrays that are not initialised
entropy.py     the operating system's random bytes, clocks, the process's number
files.py       the order of directory listings, files read and written
tasks.py       the order in which threads, processes and futures are done
threads.py     with how many threads libraries compute
memory.py      arrays that are not initialised
lines.py       which lines a process comes to, where a run is traced
edits.py       runs a script with lines that are mended
children/      what Python imports by itself in processes that the script starts

What a framework has of its own is in ``samestep.frameworks``, in its ``_watching_…`` file; ``samestep.checking`` reads the tapes.
Python 3.7, standard library and NumPy only.
"""
