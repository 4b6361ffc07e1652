"""`evaluate purity` in a child, on codes and alignments of which one thing is wrong."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from faults.bench import Bench, Command, call_quietly
from faults.child import Ending, call, check_done_or_refused
from speechvq import evaluate
from speechvq.alignment.intervals import Interval, write_lab

RATE, CODES, SECONDS_OF_SPEECH = 50, 6, 2.0
PHONES = ("SIL", "AA", "B", "S")
UNIT_SECONDS, UNIT_MEMORY = 15.0, 512 << 20  # limits of a case


def good_intervals(rng: np.random.Generator) -> list[Interval]:
    """Ten phones over the utterance."""
    cuts = np.linspace(0, SECONDS_OF_SPEECH, 11).round(2)
    labels = ["SIL", *(PHONES[1 + rng.integers(3)] for _ in cuts[2:-1]), "SIL"]
    return [Interval(float(a), float(b), label) for a, b, label in zip(cuts, cuts[1:], labels)]


def make_codes(folder: Path, names: tuple[str, ...], rng: np.random.Generator) -> Path:
    """A codes directory of whole utterances."""
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"frame_rate_hz": RATE, "num_codes": CODES}))
    for name in names:
        np.save(folder / f"{name}.npy", rng.integers(CODES, size=round(RATE * SECONDS_OF_SPEECH)))
    return folder


def make_labels(folder: Path, names: tuple[str, ...], rng: np.random.Generator) -> Path:
    """Alignments of whole utterances."""
    for name in names:
        write_lab(folder / f"{name}.lab", good_intervals(rng))
    return folder


def warm_up(bench: Bench) -> None:
    """Import what `evaluate` needs before children are forked."""
    units = ["--codes", bench.codes / "codes", "--alignments", bench.codes / "lab"]
    call_quietly(Command(evaluate.main, [str(word) for word in ["purity", *units]]))
    call_quietly(Command(evaluate.main, ["codebook", "--codes", str(bench.codes / "codes")]))


def check_purity(codes: Path, labels: Path, place: Path) -> Ending:
    """Either finite numbers in JSON, or one line that names the file or folder."""
    result = place / "result.json"
    words = ["purity", "--codes", codes, "--alignments", labels, "--json", result]
    return _check(words, place, result)


def check_codebook(codes: Path, place: Path) -> Ending:
    """The same for `evaluate codebook`."""
    result = place / "result.json"
    return _check(["codebook", "--codes", codes, "--json", result], place, result)


def _check(words: list[Any], place: Path, result: Path) -> Ending:
    ending = call(evaluate.main, words, place, seconds=UNIT_SECONDS)
    check_done_or_refused(ending, seconds=UNIT_SECONDS, memory=UNIT_MEMORY)
    if ending.code == 0:
        check_numbers(json.loads(result.read_text()))
    else:
        assert not result.exists(), "refused, but a result was written"
        named = any(str(path) in ending.err for path in (words[2], words[4] if len(words) > 5 else words[2]))
        assert named, f"the message names no file: {ending.err[-200:].strip()}"
    return ending


def check_numbers(content: Any) -> None:
    """Every number is finite; purities and PNMI lie between 0 and 1."""
    if isinstance(content, dict):
        for name, value in content.items():
            if isinstance(value, float) and ("purity" in name or "pnmi" in name):
                assert -1e-9 <= value <= 1 + 1e-9, f"{name} is {value}"
            check_numbers(value)
    elif isinstance(content, list):
        for value in content:
            check_numbers(value)
    elif isinstance(content, float):
        assert math.isfinite(content), "a number is not finite"
