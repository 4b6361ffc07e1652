"""Bounds of numbers in configurations."""

from dataclasses import field
from typing import Any


def bounded(low: float, high: float, default: float) -> Any:
    """A dataclass field for a number in [low, high]; bounds keep a file from requesting unlimited memory."""
    return field(default=default, metadata={"bounds": (low, high)})
