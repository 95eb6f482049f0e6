"""The child process that runs a user's program, and the parent's end of the line to it."""
