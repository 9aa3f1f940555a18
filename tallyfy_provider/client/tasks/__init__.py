"""Tasks of runs: list, update and complete them."""
