"""The net below a rebuild: numbers and names that were recorded once and must stay."""
