"""Preparation: usable output, listed failures, and results that later calls keep."""

from pathlib import Path

import numpy as np
import pytest

from helpers.corpus_layouts import write_files, write_tone
from speechvq.alignment.intervals import Interval, read_lab, shift_intervals
from speechvq.audio.waveform import TARGET_RMS, read_waveform
from speechvq.data import preparation
from speechvq.data.corpora import folder
from speechvq.data.corpora.recording import CorpusListing, Recording
from speechvq.data.manifest import read_manifest
from speechvq.data.preparation import Summary, prepare_corpus
from speechvq.data.preprocessing import preprocess_recording
from speechvq.data.splits import SplitRule
from speechvq.errors import UserError
from speechvq.io import journal
from speechvq.runtime.engine import LocalEngine


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two speakers, one damaged file, an alignment and a transcript."""
    corpus = tmp_path / "corpus"
    for number in range(6):
        write_tone(corpus / f"ann/a{number}.wav", rate=48_000, channels=2)
    write_tone(corpus / "bob/b 0 ü.opus")
    write_tone(corpus / "bob/silent.wav", seconds=0)
    write_tone(corpus / "bob/short.wav", seconds=0.05, edge=0)
    write_files(corpus, "bob/broken.wav", "txt/ann/a0.txt", content="some words")
    write_files(corpus, "lab/ann/a0.lab", content="0 2000000 SIL\n2000000 5000000 AA\n5000000 7000000 SIL\n")
    write_files(corpus, "lab/ann/a1.lab", content="0 100")
    return corpus


def prepare(root: Path, out: Path, jobs: int = 1) -> Summary:
    return prepare_corpus(folder.recordings(root), out, source="test", engine=LocalEngine(jobs))


def is_result(path: Path) -> bool:
    return path.is_file() and path.name != journal.FILE_NAME


def modified(out: Path) -> dict[str, int]:
    return {path.stem: path.stat().st_mtime_ns for path in out.rglob("*.flac")}


def test_all_files_of_a_corpus_are_prepared(root: Path, tmp_path: Path) -> None:
    summary = prepare(root, tmp_path / "out")
    utterances = read_manifest(tmp_path / "out")
    assert [utterance.utt for utterance in utterances] == ["a0", "a1", "a2", "a3", "a4", "a5", "b 0 ü"]
    assert sorted(summary.utterances, key=lambda utterance: utterance.utt)[0].utt == "a0"
    for utterance in utterances:
        samples = read_waveform(utterance.path)
        assert utterance.path == (tmp_path / f"out/audio/{utterance.speaker}/{utterance.utt}.flac").resolve()
        assert utterance.seconds == pytest.approx(len(samples) / 16_000, abs=1e-4)
        assert 0.3 <= utterance.seconds < 0.6  # of 0.7 s
        assert np.sqrt(np.mean(samples**2)) == pytest.approx(TARGET_RMS, rel=0.01)
    assert sorted({utterance.split for utterance in utterances}) == ["dev", "test", "train"]
    assert (tmp_path / "out/txt/ann/a0.txt").read_text() == "some words\n"


def test_converted_and_skipped_files_are_counted(root: Path, tmp_path: Path) -> None:
    summary = prepare(root, tmp_path / "out")
    words = "2 channels at 48000 Hz, down-mixed and resampled to 16000 Hz"
    assert summary.changes[words] == 6
    assert summary.skipped == {"damaged audio": 1, "silent or shorter than 0.1 s": 2}
    assert summary.without_text == 6 and len(summary.problems) == 4
    listed = (tmp_path / "out/problems.txt").read_text()
    for name in ("broken.wav: not a readable audio file", "silent.wav: ", "short.wav: ", "a1.lab, line 1"):
        assert name in listed


def test_labels_are_shifted_with_the_trimming(root: Path, tmp_path: Path) -> None:
    prepare(root, tmp_path / "out")
    intervals = read_lab(tmp_path / "out/lab/ann/a0.lab")
    samples = read_waveform(tmp_path / "out/audio/ann/a0.flac")
    loud = np.flatnonzero(np.abs(samples) > 0.01) / 16_000
    tone = next(interval for interval in intervals if interval.phone == "AA")
    assert tone.start == pytest.approx(loud[0], abs=0.002) and tone.end == pytest.approx(loud[-1], abs=0.002)
    assert intervals[0].start == 0 and intervals[-1].end == pytest.approx(len(samples) / 16_000)
    assert not (tmp_path / "out/lab/ann/a1.lab").exists()  # invalid; its audio is kept


def test_labels_are_clipped_to_the_recording() -> None:
    intervals = [Interval(0, 1, "SIL"), Interval(1, 2, "AA"), Interval(2, 3, "B"), Interval(3, 4, "SIL")]
    assert shift_intervals(intervals, 1.5, 1.0) == [Interval(0, 0.5, "AA"), Interval(0.5, 1.0, "B")]


def test_a_second_call_keeps_results(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = prepare(root, out)
    before = modified(out)
    assert prepare(root, out) == first
    assert modified(out) == before
    write_files(root, "lab/ann/a1.lab", content="0 7000000 AA\n")
    prepare(root, out)
    changed = {utt for utt, time in modified(out).items() if time != before[utt]}
    assert changed == {"a1"} and (out / "lab/ann/a1.lab").exists()  # its alignment was corrected


def test_an_interrupted_call_is_completed(root: Path, tmp_path: Path) -> None:
    """Killed between transcript and audio, or by a power cut that left a truncated file."""
    out = tmp_path / "out"
    first = prepare(root, out)
    before = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.*") if is_result(path)}
    (out / "audio/ann/a0.flac").unlink()
    (out / "lab/ann/a0.lab").unlink()
    (out / "audio/ann/a2.flac").write_bytes(b"fLaC")
    (out / "manifest.tsv").unlink()
    assert prepare(root, out) == first
    after = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.*") if is_result(path)}
    assert after == before


def test_a_newer_source_is_prepared_again(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare(root, out)
    write_tone(root / "ann/a3.wav", seconds=0.8)
    seconds = {utterance.utt: utterance.seconds for utterance in prepare(root, out).utterances}
    assert seconds["a3"] > 0.8 > seconds["a2"]


def test_the_result_does_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    for number in range(64):
        write_tone(tmp_path / f"corpus/s{number % 3}/u{number}.wav", seconds=0.2 + number / 100)
    write_files(tmp_path / "corpus", "s0/broken.wav")
    one, two = (
        prepare(tmp_path / "corpus", tmp_path / name, jobs) for name, jobs in (("one", 1), ("two", 2))
    )
    assert one.skipped == two.skipped == {"damaged audio": 1}
    manifests = [(tmp_path / name / "manifest.tsv").read_bytes() for name in ("one", "two")]
    assert manifests[0] == manifests[1]
    sound = "audio/s1/u40.flac"
    assert (tmp_path / "one" / sound).read_bytes() == (tmp_path / "two" / sound).read_bytes()


def test_a_corpus_without_usable_recordings_is_a_user_error(tmp_path: Path) -> None:
    write_files(tmp_path / "corpus", "ann/1.wav", "ann/2.wav")
    with pytest.raises(UserError, match=r"none of 2 recordings could be prepared; .*1\.wav: not a readable"):
        prepare(tmp_path / "corpus", tmp_path / "out")
    assert not (tmp_path / "out/manifest.tsv").exists()


def test_another_source_needs_another_folder(root: Path, tmp_path: Path) -> None:
    prepare(root, tmp_path / "out")
    with pytest.raises(UserError, match="choose another --out"):
        prepare_corpus(folder.recordings(root), tmp_path / "out", source="other")


def test_recordings_are_never_overwritten(root: Path, tmp_path: Path) -> None:
    root.rename(tmp_path / "audio")
    with pytest.raises(UserError, match="contains the recordings themselves"):
        prepare(tmp_path / "audio", tmp_path)


def test_unknown_speakers_are_reported_before_the_work(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--unseen-speakers: no speaker eve"):
        prepare_corpus(folder.recordings(root), tmp_path / "out", SplitRule(unseen_speakers="eve"))
    assert not (tmp_path / "out").exists()


def test_a_full_disk_stops_the_work(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, samples: np.ndarray, *, comment: str) -> None:
        raise UserError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr("speechvq.data.preprocessing.write_waveform", refuse)
    with pytest.raises(UserError, match="No space left"):
        prepare(root, tmp_path / "out")


def test_a_missing_recording_is_an_outcome(tmp_path: Path) -> None:
    outcome = preprocess_recording(Recording("u", "s", tmp_path / "gone.wav"), tmp_path / "out")
    assert outcome.skipped == "damaged audio" and "no such file" in outcome.problem


def test_settings_contain_what_changes_the_audio() -> None:
    assert set(preparation.SETTINGS) == {"sample_rate", "level", "trim_db"}
    assert CorpusListing([]).without_text() == 0
