"""The parts of the scripts that Slurm runs. Pure."""
