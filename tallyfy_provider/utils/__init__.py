"""Helpers without I/O that every layer uses."""
