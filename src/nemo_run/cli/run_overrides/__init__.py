"""What the overrides ``run.…`` ask for: the executor, the plugins, the fields of the context."""
