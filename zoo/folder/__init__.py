"""A model's folder: its files, read and written."""
