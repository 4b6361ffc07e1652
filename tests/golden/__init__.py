"""Golden tests: numbers and names that were recorded once and must not change by accident."""
