"""The training loop of every model, its stages, its checkpoints and its log."""
