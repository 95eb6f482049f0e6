"""Does a script repeat, and what is to blame if not?

check.py          the question: runs, suspects, interventions, mended runs, the answer
trials.py         one run under observation, with values of another run played to it or switches set
outcomes.py       what a trial led to, and the first difference of two
printed.py        what counts of what a script prints
tables.py         times in columns of tables, and in pickles
veiled.py         what is masked, or not compared, and is a result nevertheless
disk.py           what trials leave on disk, and how it was before
suspects.py       what was not the same in two trials
interventions.py  what is pinned, and which causes that proves
locating.py       the line at which two trials part
mends.py          the edit that takes a source away, in the user's file and line
functions.py      a script that calls a function

What watches beside the script is in ``samestep.watching``.
"""
