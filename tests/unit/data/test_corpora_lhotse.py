"""CutSets of lhotse as a corpus: the manifests are those that lhotse itself writes."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.audio_files import write_samples, write_tone
from speechvq.audio.waveform import Segment, read_audio
from speechvq.data.corpora import lhotse as corpus
from speechvq.errors import UserError
from speechvq.prepare import main as prepare

lhotse = pytest.importorskip("lhotse", reason="the extra lhotse is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the library

RATE = 16_000


@pytest.fixture
def recording(tmp_path: Path) -> Any:
    """A recording of two channels, 3 s."""
    tone = read_audio(write_tone(tmp_path / "tone.wav", samples=3 * RATE)).samples
    noise = 0.1 * np.random.default_rng(0).normal(size=3 * RATE)
    return lhotse.Recording.from_file(write_samples(tmp_path / "long.wav", np.stack([tone, noise], axis=1)))


def cut(recording: Any, name: str = "a", start: float = 0.5, seconds: float = 1.25, **fields: Any) -> Any:
    words = fields.pop("supervisions", None) or [supervision(name)]
    channel = fields.pop("channel", 0)
    return lhotse.MonoCut(name, start, seconds, channel, words, recording=recording, **fields)


def supervision(name: str, speaker: str | None = "ann", **fields: Any) -> Any:
    return lhotse.SupervisionSegment(name, "long", 0, 1, speaker=speaker, text="one  two", **fields)


def save(folder: Path, *cuts: Any, name: str = "cuts.jsonl.gz") -> Path:
    lhotse.CutSet.from_cuts(cuts).to_file(folder / name)
    return folder / name


@pytest.mark.parametrize("name", ["cuts.jsonl", "cuts.jsonl.gz"])
def test_a_cut_is_a_part_of_one_channel(name: str, tmp_path: Path, recording: Any) -> None:
    path = save(tmp_path, cut(recording, "x/a"), cut(recording, "b", channel=1), name=name)
    first, second = corpus.recordings(path).recordings
    assert (first.utt, first.speaker, first.text) == ("x_a", "ann", "one two")
    assert first.segment == Segment(0.5, 1.25, 0) and second.segment == Segment(0.5, 1.25, 1)
    for found, each in ((first, cut(recording)), (second, cut(recording, channel=1))):
        assert np.array_equal(read_audio(found.audio, found.segment).samples, each.load_audio()[0])


def test_cuts_become_a_prepared_corpus(
    tmp_path: Path, recording: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path, *(cut(recording, f"u{i}", 0.5 * i, 0.5) for i in range(6)))
    call = ["lhotse", "--cuts", str(path), "--out", str(tmp_path / "data")]
    assert prepare(call) == 0
    assert "6 utterances, 1 speakers" in capsys.readouterr().out
    assert (tmp_path / "data/txt/ann/u0.txt").read_text() == "one two\n"
    assert prepare(call) == 0
    assert "0 done, 6 skipped (unchanged)" in capsys.readouterr().out
    save(tmp_path, *(cut(recording, f"u{i}", 0.5 * i, 0.5 - 0.1 * (i == 2)) for i in range(6)))
    assert prepare(call) == 0
    assert "1 done, 5 skipped (unchanged)" in capsys.readouterr().out


def test_relative_paths_begin_in_root(tmp_path: Path, recording: Any) -> None:
    source = replace(recording.sources[0], source="long.wav")
    path = save(tmp_path, cut(replace(recording, sources=[source])))
    [found] = corpus.recordings(path, root=tmp_path).recordings
    assert found.audio == tmp_path / "long.wav"


def test_cuts_that_are_no_utterance_of_a_speaker_are_counted(tmp_path: Path, recording: Any) -> None:
    good = cut(recording)
    path = save(
        tmp_path,
        good,
        good,
        cut(recording, "b", supervisions=[supervision("b", None)]),
        cut(recording, "c", supervisions=[supervision("c", "ann"), supervision("d", "bob")]),
        cut(recording, "e").resample(8_000),
        cut(recording, "f").pad(duration=3),
        cut(recording, "g", supervisions=[supervision("g", "..")]),
    )
    found = corpus.recordings(path)
    assert len(found.recordings) == 1 and found.skipped == {
        "name taken by another utterance": 1,
        "no speaker": 1,
        "several speakers": 1,
        "recording that lhotse would change when it loads it": 1,
        "mixed, padded or of several channels, or no cut": 1,
        "name of cut or speaker that cannot be that of a file": 1,
    }


@pytest.mark.parametrize(
    ("kind", "source", "message"),
    [
        ("command", "touch {}/run; cat long.wav", "its audio comes from a shell command, which is not run"),
        ("url", "https://example.org/a.wav", "its audio is of type url; only files are read"),
    ],
)
def test_audio_that_is_not_in_files_is_refused(
    kind: str, source: str, message: str, tmp_path: Path, recording: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    source = source.format(tmp_path)
    sources = [replace(recording.sources[0], type=kind, source=source)]
    path = save(tmp_path, cut(replace(recording, sources=sources)))
    assert prepare(["lhotse", "--cuts", str(path), "--out", str(tmp_path / "data")]) == 2
    errors = capsys.readouterr().err
    assert f"{path}: line 1: cut a: {message}" in errors and errors.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "change", [{"start": 2.9}, {"start": "x"}, {"id": 3}, {"channel": 5}, {"recording": 7}]
)
def test_a_damaged_cut_is_one_line(change: dict[str, Any], tmp_path: Path, recording: Any) -> None:
    path = save(tmp_path, cut(recording), name="cuts.jsonl")
    damaged = json.loads(path.read_text()) | change
    path.write_text(json.dumps(damaged) + "\n")
    if change == {"id": 3}:
        assert corpus.recordings(path).recordings[0].utt == "3"
    elif change == {"start": 2.9}:
        [found] = corpus.recordings(path).recordings
        with pytest.raises(UserError, match="has 3.00 s, so not the part from 2.90 to 4.15 s"):
            read_audio(found.audio, found.segment)
    else:
        with pytest.raises(UserError, match="cuts.jsonl: line 1: not a cut of lhotse"):
            corpus.recordings(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]\n", b"\xff\n", b"9" * 100])
def test_a_file_that_is_no_cut_set_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "cuts.jsonl").write_bytes(content)
    (tmp_path / "cuts.jsonl.gz").write_bytes(gzip.compress(content)[:-1])
    (tmp_path / "cuts.yaml").write_bytes(content)
    for name in ("cuts.jsonl", "cuts.jsonl.gz", "cuts.yaml", "absent.jsonl"):
        with pytest.raises(UserError, match=name):
            corpus.recordings(tmp_path / name)
