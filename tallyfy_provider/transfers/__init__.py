"""Transfers from Tallyfy to other systems."""
