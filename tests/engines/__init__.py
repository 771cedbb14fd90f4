"""Real engines for the tests: a Slurm cluster, a login host behind a jump host. See README.md."""
