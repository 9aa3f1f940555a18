"""The state of the emulated organization."""
