"""What works of a cluster, and what does not."""
