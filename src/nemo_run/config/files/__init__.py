"""A graph as text and back: JSON, its compressed line, YAML."""
