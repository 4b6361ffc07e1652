"""Running work: processes, logging, progress, memory and precision."""
