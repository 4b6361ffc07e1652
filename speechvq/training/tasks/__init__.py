"""Training tasks: one module per task, with its data, its stages and its held-out measures."""
