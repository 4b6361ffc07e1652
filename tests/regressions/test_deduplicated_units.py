"""Deduplicated units, one code per run, scored 22.8 % purity instead of 51.6 %, and no command said why."""

import json
from pathlib import Path

import numpy as np
import pytest

from speechvq import evaluate
from speechvq.alignment.intervals import Interval, write_lab
from speechvq.data.manifest import Utterance, write_manifest
from speechvq.data.repeated_codes import NeighborCounts

RATE, NUM_CODES, UTTERANCES = 50, 20, 4
LINE = "no two neighboring codes are equal, so these seem to be deduplicated units"


def write_units(folder: Path, *, deduplicated: bool) -> Path:
    """Codes, alignments and a manifest of two speakers; three frames a code."""
    rng = np.random.default_rng(0)
    utterances = []
    (folder / "codes").mkdir(parents=True)
    (folder / "codes/meta.json").write_text(json.dumps({"frame_rate_hz": RATE, "num_codes": NUM_CODES}))
    for i in range(UTTERANCES):
        runs = (np.cumsum(rng.integers(1, NUM_CODES, size=120)) % NUM_CODES).astype(np.int64)
        np.save(folder / f"codes/u{i}.npy", runs if deduplicated else runs.repeat(3))
        phones = [Interval(0.06 * n, 0.06 * (n + 1), f"P{code % 5}") for n, code in enumerate(runs)]
        write_lab(folder / f"labels/u{i}.lab", phones)
        utterances.append(Utterance(f"u{i}", f"s{i % 2}", "test", 7.2, folder / f"u{i}.wav"))
    write_manifest(folder / "manifest.tsv", utterances)
    return folder


COMMANDS = {
    "codebook": [],
    "purity": ["--alignments", "labels"],
    "speakers": ["--manifest", "manifest.tsv"],
    "abx": ["--alignments", "labels", "--manifest", "manifest.tsv", "--items", "phoneme", "--context", "any"],
}


@pytest.mark.parametrize("deduplicated", [True, False])
@pytest.mark.parametrize("subject", list(COMMANDS))
def test_commands_say_that_repeats_are_missing(
    subject: str, deduplicated: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_units(tmp_path / "units", deduplicated=deduplicated)
    more = [str(folder / value) if (folder / value).exists() else value for value in COMMANDS[subject]]
    assert evaluate.main([subject, "--codes", str(folder / "codes"), *more]) == 0
    assert (LINE in capsys.readouterr().err) == deduplicated


def test_few_or_rare_codes_are_not_suspected() -> None:
    assert not NeighborCounts(10).deduplicated()
    few = NeighborCounts(10)
    few.add(np.arange(10))
    assert not few.deduplicated()  # one equal pair would be expected
    rare = NeighborCounts(100_000)
    rare.add(np.random.default_rng(0).permutation(100_000)[:5_000])
    assert not rare.deduplicated()
    many = NeighborCounts(10)
    for _ in range(9):
        many.add(np.arange(10))
    assert many.deduplicated()
    many.add(np.array([3, 3]))
    assert not many.deduplicated()
