"""Show a graph: trees, diffs and pictures. Pure."""
