"""`python -m samestep` is the command `samestep`."""

from samestep.cli import main

main()
