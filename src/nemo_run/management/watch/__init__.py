"""Watch: the display while waiting, logs by byte offset, Ctrl-C."""
