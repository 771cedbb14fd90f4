"""What the commands of ``nemo-run experiment`` share: choosing one, and what is shown of it."""
