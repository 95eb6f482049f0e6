"""Seeding: every generator that is there, those that arrive with an import, and what each cannot do.

seeds.py       samestep.seed and samestep.seeded
report.py      what was seeded, what was not, what was switched on and at what cost
generators.py  Python's and NumPy's

What each framework needs is in ``samestep.frameworks._seeding``. Nothing is imported in order to seed it. Python 3.7,
standard library only; NumPy is seeded where it has been imported.
"""
