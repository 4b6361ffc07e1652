"""What is known of a model's speakers: `speakers.json` beside the weights. A model need not have the file."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from speechvq.errors import UserError
from speechvq.io.atomic import write_json
from speechvq.io.names import normalized
from speechvq.io.reading import read_regular

FILE = "speakers.json"
FEW_MINUTES = 4.0  # of training speech; with less, conversions are only roughly similar to the speaker


class SpeakerFacts(NamedTuple):
    """A speaker of the training data."""

    sex: str = ""  # "F" or "M"; "" if unknown
    minutes: float | None = None  # of training speech; None if unknown
    resynthesis_dnsmos: float | None = None  # mean of held-out sentences, 1 to 5; None if not measured


def save_speaker_facts(folder: Path, facts: Mapping[str, SpeakerFacts]) -> None:
    """Write the facts into a model directory.

    Raises:
        UserError: the disk is full or not writable.
    """
    write_json(folder / FILE, {name: each._asdict() for name, each in facts.items()})


def load_speaker_facts(folder: Path) -> dict[str, SpeakerFacts]:
    """The facts in a model directory, by speaker; empty without the file.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        content = json.loads(read_regular(path))
        return {normalized(str(name)): _facts(values) for name, values in content.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{path}: damaged; remove it, or write it again") from None


def _facts(values: Mapping[str, Any]) -> SpeakerFacts:
    sex, minutes, dnsmos = (values.get(name) for name in SpeakerFacts._fields)
    return SpeakerFacts(str(sex or "")[:1], _number(minutes), _number(dnsmos))


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number
