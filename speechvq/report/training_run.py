"""The configuration and the logged metrics of a run directory."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speechvq.config.training import MAIN_STAGE
from speechvq.errors import UserError
from speechvq.io.yaml_files import read_yaml

CONFIG, METRICS = "config.yaml", "metrics.jsonl"


def read_run(run: Path) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """A run's configuration and the metrics of its main stage; lines that a crash cut short are left out.

    Raises:
        UserError: no run directory, or nothing logged yet.
    """
    if not (run / CONFIG).is_file():
        raise UserError(
            f"{run}: no run here ({CONFIG} is missing); give a run directory of `python -m speechvq.train`"
        )
    config = read_yaml(run / CONFIG)
    try:
        text = (run / METRICS).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{run / METRICS}: {error.strerror}; train for some steps first") from None
    metrics = [line for line in map(_read_line, text.splitlines()) if line]
    if not metrics:
        raise UserError(f"{run / METRICS}: nothing logged yet; train for some steps first")
    return config, metrics


def training_facts(
    metrics: Sequence[dict[str, float]], wanted: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    """The latest values of some metrics as text, by label.

    Args:
        metrics: one mapping per line of the log.
        wanted: by label, the key of a metric and its format.
    """
    latest: dict[str, float] = {}
    for line in metrics:
        latest.update(line)
    formats = {"steps": ("step", "{:,.0f}")} | dict(wanted)
    return {label: form.format(latest[key]) for label, (key, form) in formats.items() if key in latest}


def _read_line(text: str) -> dict[str, float]:
    """The numbers of one line of metrics; empty for an invalid line and for a stage before the main one."""
    try:
        values = json.loads(text)
        numbers = {k: float(v) for k, v in values.items() if isinstance(v, (int, float)) and math.isfinite(v)}
    except (ValueError, AttributeError, RecursionError, OverflowError):
        return {}
    return numbers if "step" in numbers and values.get("stage", MAIN_STAGE) == MAIN_STAGE else {}
