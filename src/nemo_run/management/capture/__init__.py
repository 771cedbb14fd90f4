"""What is remembered of the launching machine, secrets covered."""
