"""One module a model kind: its data, its losses and its held-out measures."""
