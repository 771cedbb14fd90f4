"""Jobs on a cluster that Slurm runs, from its login node or over SSH."""
