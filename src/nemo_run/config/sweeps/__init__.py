"""Sweeps: one task at several points, made in Python, on the command line or of a file."""
