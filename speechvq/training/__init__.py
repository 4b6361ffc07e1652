"""One loop for every model, its checkpoints and its log."""
