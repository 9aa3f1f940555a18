"""Operators that act on Tallyfy."""
