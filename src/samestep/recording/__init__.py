"""Recording, in the process that trains: what each update was, as digests and norms, handed on in blocks of rows.

script.py     runs a user's script unedited, with the frameworks that it imports hooked
imports.py    tells when a module has been imported
recorder.py   gathers the rows
digests.py    128 bits of an array
generators.py the states of Python's and NumPy's generators
environment.py what the process runs on

How a framework is hooked is in ``samestep.frameworks``, in its ``_recording_…`` file; the folder of a run is written and read
by ``samestep.runs``. Python 3.7, standard library and NumPy only; xxhash where it is installed.
"""

METRICS_VARIABLE = "SAMESTEP_METRICS"
"""The environment variable that names a file to which a run's metrics may be written, a line `name: value` each."""
