"""Results of `evaluate` as dataclasses, one per subject: written to JSON, and read back by `report`."""
