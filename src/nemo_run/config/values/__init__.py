"""Values of the command line and of files, read by the annotation of what takes them."""
