"""Runs: list, launch, update and archive them."""
