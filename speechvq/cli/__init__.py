"""Code that all commands share: flags, exit codes, input files, text tables."""
