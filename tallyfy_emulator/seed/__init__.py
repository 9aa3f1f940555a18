"""The organization that the emulator starts with."""
