"""Code shared by tests: tiny corpora, models and runs, and slow reference implementations."""
