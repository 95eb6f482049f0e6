"""Watching, in the process that runs a script: what could make it differ from run to run, noted on a tape or played from one.

tape.py        notes values with the place in the user's code that asked for them; gives out those of another run again
places.py      which code is the user's
install.py     puts all of this in place, for the script and for processes that it forks
generators.py  Python's and NumPy's random generators: how they begin, and who seeds them
entropy.py     the operating system's random bytes, clocks, the process's number
files.py       the order of directory listings, files read and written
tasks.py       the order in which threads, processes and futures are done
memory.py      arrays that are not initialised
edits.py       runs a script with lines that are mended

What a framework has of its own is in ``samestep.frameworks``, in its ``_watching_…`` file; ``samestep.checking`` reads the tapes.
Python 3.7, standard library and NumPy only.
"""
