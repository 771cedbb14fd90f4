"""Describe: jobs, their graph, and the plan made of them."""
