"""The graph: nodes, their arguments and history, copying, comparing, building."""
