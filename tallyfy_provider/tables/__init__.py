"""What people wrote, as tables: their columns, the rows of a run, and the walk that reads runs with all they need."""
