"""What every command has: common options, groups, the question before a loss, the exit code."""
