"""The controls of the emulator, in Python and over HTTP."""
