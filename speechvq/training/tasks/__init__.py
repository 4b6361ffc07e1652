"""Training tasks: one module per model kind, with its data, its stages and its held-out measures."""
