"""Other servers of the same model, each in a file; a table of them by name is in `table.py`."""
