"""The conductor: the process that drives one experiment to its end."""
