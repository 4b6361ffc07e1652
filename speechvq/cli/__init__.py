"""What every command shares: exit codes, and what an argument may name."""
