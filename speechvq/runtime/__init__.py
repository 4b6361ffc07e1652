"""How work runs: processes, progress, memory and precision."""
