"""Commands made of Python functions: what one is, where it is found, how a script starts it."""
