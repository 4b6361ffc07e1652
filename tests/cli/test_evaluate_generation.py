"""`evaluate generation`: good codes score like real ones, random codes do not; one error line per mistake."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.synthetic_speech import SPEAKERS, make_speech_corpus, speech
from helpers.tiny_prior import random_walk
from speechvq import evaluate
from speechvq.alignment.intervals import Interval, write_lab
from speechvq.audio.waveform import write_waveform
from speechvq.data.manifest import Utterance, read_manifest, write_manifest
from speechvq.data.unit_formats.npy import write_npy

META = {"frame_rate_hz": 50.0, "num_codes": 8, "codebook": "0123456789abcdef"}


def codes(folder: Path, strings: dict[str, np.ndarray], **changes: Any) -> Path:
    for name, string in strings.items():
        write_npy(folder / f"{name}.npy", string)
    (folder / "meta.json").write_text(json.dumps(META | changes))
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three speakers, their codes and phones: codes 0 to 3 are A and the others B."""
    folder = make_speech_corpus(tmp_path_factory.mktemp("corpus"), sentences=8)
    strings = {u.utt: random_walk(300, i) for i, u in enumerate(read_manifest(folder))}
    codes(folder / "codes", strings)
    for name, string in strings.items():
        labels = [Interval(n / 50, (n + 1) / 50, "AB"[code // 4]) for n, code in enumerate(string)]
        write_lab(folder / "lab" / f"{name}.lab", labels)
    return folder


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of a good prior and decoder, as `generate` writes it."""
    folder, made = tmp_path_factory.mktemp("generated"), []
    for i, voice in enumerate(SPEAKERS):
        write_waveform(folder / f"{voice}_{i}.wav", speech(voice, 900 + i))
        made.append(Utterance(f"{voice}_{i}", voice, "generated", 1.5, folder / f"{voice}_{i}.wav"))
    write_manifest(folder / "manifest.tsv", made)
    codes(folder / "codes", {u.utt: random_walk(200, 1000 + i) for i, u in enumerate(made)})
    return folder


def run(*arguments: object) -> int:
    return evaluate.main(["generation", *map(str, arguments)])


def test_codes_like_real_speech_score_like_it(
    corpus: Path, generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = ("--reference", corpus / "codes", "--manifest", corpus)
    out = tmp_path / "scores.json"
    more = ("--alignments", corpus / "lab", "--sounds", generated, "--json", out)
    assert run("--codes", generated / "codes", *real, *more) == 0
    rows = {row["name"]: row for row in json.loads(out.read_text())["rows"]}
    bigrams, durations = rows["bigrams_divergence_bits"], rows["mean_code_duration_ms"]
    assert bigrams["generated"] < 1.5 * bigrams["real"] < bigrams["chance"] / 2
    assert durations["generated"] == pytest.approx(durations["real"], rel=0.1)
    phones = rows["mapped_phone_duration_ms"]
    assert phones["generated"] == pytest.approx(phones["real"], rel=0.2)
    assert phones["chance"] < 0.6 * phones["real"]
    assert rows["aligned_phone_duration_ms"]["generated"] is None
    accuracy = rows["speaker_accuracy"]
    assert accuracy["generated"] == 1.0 and accuracy["real"] == 1.0
    assert accuracy["chance"] == pytest.approx(1 / 3)
    printed = capsys.readouterr().out
    assert "3 generated strings, 600 codes; 3 real strings" in printed
    assert any("intended speaker, of 3 (%)" in line and "100" in line for line in printed.splitlines())
    unlike = codes(tmp_path / "unlike", {"a": np.random.default_rng(0).integers(8, size=600)})
    assert run("--codes", unlike, *real, "--json", out) == 0
    row = json.loads(out.read_text())["rows"][1]
    assert row["generated"] > 2 * row["real"]


def test_mistakes_are_one_error_line(
    corpus: Path, generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = codes(tmp_path / "other", {"a": random_walk(20, 0)}, codebook="f" * 16)
    empty = codes(tmp_path / "empty", {"a": np.empty(0, np.int64)})
    lab = tmp_path / "lab"
    write_lab(lab / "unknown.lab", [Interval(0, 1, "A")])
    made, real, manifest = (
        ("--codes", generated / "codes"),
        ("--reference", corpus / "codes"),
        ("--manifest", corpus),
    )
    unknown = tmp_path / "unknown"
    write_waveform(unknown / "zoe.wav", speech("ann", 1))
    write_manifest(unknown / "manifest.tsv", [Utterance("zoe", "zoe", "generated", 1.0, unknown / "zoe.wav")])
    for given, message in (
        ((*made, *real, "--sounds", generated), "--sounds needs --manifest"),
        ((*made, "--reference", other, *manifest), "codes of different models"),
        (("--codes", empty, *real, *manifest), "empty"),
        (("--codes", tmp_path / "no", *real), "no such folder"),
        ((*made, *real, *manifest, "--split", "unseen"), "no codes of split 'unseen'"),
        (
            (*made, *real, *manifest, "--alignments", lab),
            "no alignment of the real strings, for example ann_7",
        ),
        ((*made, *real, *manifest, "--sounds", unknown), "no recordings of zoe"),
    ):
        assert run(*given) == 2
        error = capsys.readouterr().err
        assert (
            error.startswith("speechvq.evaluate generation: error: ")
            and message in error
            and error.count("\n") == 1
        )
