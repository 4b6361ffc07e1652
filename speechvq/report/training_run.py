"""What a run directory tells: its configuration, and what was measured while it learnt."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speechvq.errors import UserError
from speechvq.io.yaml_files import read_yaml

CONFIG, METRICS = "config.yaml", "metrics.jsonl"


def read_run(run: Path) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """A run's configuration and the lines of its metrics; a line that a crash cut short is left out.

    Raises:
        UserError: no run there, or nothing measured yet.
    """
    if not (run / CONFIG).is_file():
        raise UserError(
            f"{run}: no run here ({CONFIG} is missing); give what `python -m speechvq.train --out` made"
        )
    config = read_yaml(run / CONFIG)
    try:
        text = (run / METRICS).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{run / METRICS}: {error.strerror}; train for some steps first") from None
    metrics = [line for line in map(_line, text.splitlines()) if line]
    if not metrics:
        raise UserError(f"{run / METRICS}: nothing measured yet; train for some steps first")
    return config, metrics


def training_facts(
    metrics: Sequence[dict[str, float]], wanted: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    """What a visitor wants to know first; the newest value of each.

    Args:
        metrics: one mapping a line.
        wanted: by their labels, a number of the metrics and its form.
    """
    newest: dict[str, float] = {}
    for line in metrics:
        newest.update(line)
    every = {"steps": ("step", "{:,.0f}")} | dict(wanted)
    return {label: form.format(newest[key]) for label, (key, form) in every.items() if key in newest}


def _line(text: str) -> dict[str, float]:
    """Numbers of one line of metrics; empty for a line that is none."""
    try:
        values = json.loads(text)
        numbers = {k: float(v) for k, v in values.items() if isinstance(v, (int, float)) and math.isfinite(v)}
    except (ValueError, AttributeError, RecursionError, OverflowError):
        return {}
    return numbers if "step" in numbers else {}
