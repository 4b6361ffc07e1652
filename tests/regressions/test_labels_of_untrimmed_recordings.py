"""`prepare` trimmed silence without a word. Alignments of the originals then scored 25 % purity instead of
55 %, and the only hint was to check the frame rate.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.audio_files import write_samples
from speechvq import evaluate, prepare
from speechvq.alignment.intervals import Interval, read_lab, write_lab
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.data.manifest import read_manifest
from speechvq.evaluate.alignment_lengths import AlignmentLengths

RATE, COUNT = 50, 4
LEAD = 0.6  # seconds of silence before the first phone, and LEAD + 0.1 i before that of utterance i
PHONES = ("AA", "IY", "UW", "SIL")


def alignment(number: int) -> list[Interval]:
    """Phones of 0.2 s between long silences."""
    start = LEAD + 0.1 * number
    cuts = (start + 0.2 * np.arange(11)).round(3).tolist()
    phones = [Interval(a, b, PHONES[(i * 2 + number) % 3]) for i, (a, b) in enumerate(zip(cuts, cuts[1:]))]
    return [Interval(0, start, "SIL"), *phones, Interval(cuts[-1], cuts[-1] + 0.7, "SIL")]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, their alignments, the prepared corpus, and codes of it that tell every phone."""
    folder = tmp_path_factory.mktemp("corpus")
    for i in range(COUNT):
        phones = alignment(i)
        time = np.arange(round(phones[-1].end * SAMPLE_RATE)) / SAMPLE_RATE
        loud = (time >= phones[0].end) & (time < phones[-1].start)
        write_samples(folder / f"in/s{i % 2}/u{i}.wav", 0.2 * np.sin(2 * np.pi * 300 * time) * loud)
        write_lab(folder / f"labels/u{i}.lab", phones)
    write_lab(folder / "in/s0/u0.lab", alignment(0))
    flags = ["folder", "--root", str(folder / "in"), "--jobs", "1", "--out"]
    assert prepare.main([*flags, str(folder / "out")]) == 0
    assert prepare.main([*flags, str(folder / "whole"), "--keep-silence"]) == 0
    (folder / "codes").mkdir()
    (folder / "codes/meta.json").write_text(json.dumps({"frame_rate_hz": RATE, "num_codes": 4}))
    for each in read_manifest(folder / "out"):
        number = int(each.utt[1:])
        centers = each.start + (np.arange(int(each.seconds * RATE)) + 0.5) / RATE
        spoken = [next(p.phone for p in alignment(number) if p.start <= t < p.end) for t in centers]
        np.save(folder / f"codes/{each.utt}.npy", np.array([PHONES.index(phone) for phone in spoken]))
    return folder


def test_the_manifest_keeps_what_was_cut(corpus: Path) -> None:
    for each in read_manifest(corpus / "out"):
        original = read_waveform(corpus / f"in/{each.speaker}/{each.utt}.wav")
        first = round(each.start * SAMPLE_RATE)
        part, prepared = original[first:], read_waveform(each.path)
        part = part[: len(prepared)]
        assert 0.4 < each.start < LEAD + 0.4
        assert np.corrcoef(np.abs(part), np.abs(prepared))[0, 1] > 0.999


def test_labels_beside_the_recordings_are_shifted(corpus: Path) -> None:
    first = read_manifest(corpus / "out")[0]
    shifted = read_lab(corpus / "out/lab/s0/u0.lab")
    assert shifted[1].start == pytest.approx(alignment(0)[1].start - first.start, abs=1e-3)


def test_prepare_says_that_it_trims_and_can_be_told_not_to(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["folder", "--root", str(corpus / "in"), "--jobs", "1", "--out"]
    for _ in range(2):  # the second call keeps the results of the first
        assert prepare.main([*flags, str(tmp_path / "out")]) == 0
        assert "trimmed: 1." in (printed := capsys.readouterr().out) and "--keep-silence" in printed
        assert [u.start for u in read_manifest(tmp_path / "out")] == [
            u.start for u in read_manifest(corpus / "out")
        ]
    assert prepare.main([*flags, str(tmp_path / "out"), "--keep-silence"]) == 2  # never mixed in one folder
    assert "choose another" in capsys.readouterr().err
    assert prepare.main([*flags, str(tmp_path / "whole"), "--keep-silence"]) == 0
    assert "trimmed" not in capsys.readouterr().out
    for each in read_manifest(corpus / "whole"):
        assert each.start == 0
        assert each.seconds == pytest.approx(alignment(int(each.utt[1:]))[-1].end, abs=1e-3)


def purity(corpus: Path, *more: str | Path) -> float:
    place = corpus / "purity.json"
    flags = ["--codes", corpus / "codes", "--alignments", corpus / "labels", "--json", place, *more]
    assert evaluate.main(["purity", *map(str, flags)]) == 0
    return float(json.loads(place.read_text())["all"]["phone_purity"])


def test_evaluation_names_the_cause_and_shifts(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = ("--manifest", corpus / "out")
    assert purity(corpus, *manifest) < 0.9
    error = capsys.readouterr().err
    assert "before `prepare` trimmed them: give --shift-alignments" in error and error.count("\n") == 1
    assert purity(corpus) < 0.9
    assert "such as those before silence was trimmed" in capsys.readouterr().err
    assert purity(corpus, *manifest, "--shift-alignments") > 0.98  # centers on a boundary may round
    assert "trimmed" not in capsys.readouterr().err


def test_shifting_needs_the_manifest(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--codes", corpus / "codes", "--alignments", corpus / "labels", "--shift-alignments"]
    assert evaluate.main(["purity", *map(str, flags)]) == 2
    assert "--shift-alignments needs --manifest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ([2.0, 6.0, 8.0], "all differ by one factor: check frame_rate_hz"),
        ([1.5, 3.5, 4.5], "such as those before silence was trimmed"),
        ([1.0, 3.0, 4.08], ""),
        ([1.0, 3.0, 3.5], "in 1 of 3 utterances codes continue, by up to 0.50 s"),
    ],
)
def test_the_likely_cause_is_named(ends: list[float], words: str, caplog: pytest.LogCaptureFixture) -> None:
    lengths = AlignmentLengths()
    for end, seconds in zip(ends, [1.0, 3.0, 4.0]):
        lengths.add([Interval(0, end, "SIL")], seconds, start=0.0)
    lengths.warn(Path("codes"))
    assert words in caplog.text and len(caplog.records) == bool(words)
