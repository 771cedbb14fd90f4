"""Changes of a configuration that are given as text: ``model.layers[0].width*=2``."""
