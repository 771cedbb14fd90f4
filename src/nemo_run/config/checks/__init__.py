"""Hold a task against signatures and annotations before it costs anything."""
