"""Everything samestep raises on purpose.

SamestepError
├── UsageError          a wrong name, path or option
├── DataError           data that cannot be used
├── ProgramError        the user's program raised, or does not fit what is asked of it
│   ├── FrameworkMissing    it imports a framework that its interpreter does not have
│   └── NotVectorisable     its seeds cannot be trained in one computation as they are one by one
└── WorkerError         the child process died, hung or could not be started

Read by Python 3.7 too: the worker raises these inside the user's interpreter.
"""


class SamestepError(Exception):
    """Base of all errors; the message says what happened, what was expected and how to mend it."""


class UsageError(SamestepError):
    """A name, path or option that is wrong."""


class DataError(SamestepError):
    """Data that is missing, empty, holds NaN or does not fit."""


class ProgramError(SamestepError):
    """The user's program raised, or does not fit what is asked of it."""


class FrameworkMissing(ProgramError):  # noqa: N818 - named for what happened
    """The program imports a framework that its interpreter does not have."""


class NotVectorisable(ProgramError):  # noqa: N818 - named for what is the case
    """The program's seeds cannot be trained in one computation as they are one by one; the message is the reason."""


class WorkerError(SamestepError):
    """The child process died, hung or could not be started."""
