"""What several tests share: tiny corpora, models and runs, and slow oracles."""
