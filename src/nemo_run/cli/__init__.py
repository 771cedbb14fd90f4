"""The front door: the command ``nemo-run``."""
