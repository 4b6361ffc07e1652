"""First-person worlds to record: a built-in maze and ViZDoom."""
