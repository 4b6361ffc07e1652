"""Numbers in configurations, and how large they may be."""

from dataclasses import field
from typing import Any


def bounded(low: float, high: float, default: float) -> Any:
    """A field for a number with bounds, both allowed, so that no file can ask for boundless memory."""
    return field(default=default, metadata={"bounds": (low, high)})
