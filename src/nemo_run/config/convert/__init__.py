"""autoconvert: a function that builds objects becomes one that builds their configuration."""
