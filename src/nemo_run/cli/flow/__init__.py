"""The way of one command, from its words to a run (see docs/cli.md)."""
