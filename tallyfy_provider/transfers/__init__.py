"""Transfers: what is read from Tallyfy is written elsewhere."""
