"""The command prepare: from a corpus to a manifest in one call, and one line for every mistake."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.corpus_layouts import write_files, write_tone
from speechvq import prepare
from speechvq.cli.command import INTERRUPTED
from speechvq.data.manifest import read_manifest
from speechvq.io.atomic import write_text


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for speaker in ("p225", "p226"):
        for number in range(5):
            write_tone(tmp_path / f"corpus/{speaker}/{speaker}_{number}.wav", rate=22_050)
    write_files(tmp_path / "corpus", "p225/broken.wav")
    return tmp_path / "corpus"


def run(*arguments: str | Path) -> int:
    return prepare.main([str(argument) for argument in arguments])


def test_folder(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("folder", "--root", corpus, "--out", out, "--unseen-speakers", "p226") == 0
    splits = {utterance.utt: utterance.split for utterance in read_manifest(out)}
    assert sorted(splits.values()) == ["dev"] * 2 + ["test"] + ["train"] * 2 + ["unseen"] * 5
    printed, complaints = capsys.readouterr()
    assert f"{out}: 10 utterances, 2 speakers, 0.00 hours" in printed
    assert "splits: dev 2, test 1, train 2, unseen 5" in printed
    assert "changed: 10 files with 1 channel at 22050 Hz, resampled to 16000 Hz" in printed
    assert "kept without text: 10" in printed and "skipped: 1 (damaged audio)" in printed
    assert complaints.count("broken.wav") == 1 and "broken.wav: not a readable audio file" in complaints


def test_vctk_with_the_second_microphone(tmp_path: Path) -> None:
    for mic in (1, 2):
        write_tone(tmp_path / f"vctk/wav48_silence_trimmed/p225/p225_001_mic{mic}.flac", seconds=mic)
    assert run("vctk", "--root", tmp_path / "vctk", "--mic", "2", "--out", tmp_path / "out") == 0
    assert read_manifest(tmp_path / "out")[0].seconds > 2
    assert run("vctk", "--root", tmp_path / "vctk", "--out", tmp_path / "out") == 2  # the other microphone


def test_librispeech(tmp_path: Path) -> None:
    write_tone(tmp_path / "LibriSpeech/dev-clean/84/1/84-1-0000.flac")
    assert run("librispeech", "--root", tmp_path, "--out", tmp_path / "out") == 0
    assert [utterance.utt for utterance in read_manifest(tmp_path / "out")] == ["84-1-0000"]


def test_mini_has_audio_and_alignments(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra `mini` is not installed")
    out = tmp_path / "out"
    assert run("mini", "--out", out, "--speakers", "2", "--sentences", "5") == 0
    utterances = read_manifest(out)
    assert len(utterances) == 10 and len(list((out / "lab").rglob("*.lab"))) == 10
    before = {path: path.stat().st_mtime_ns for path in (out / "audio").rglob("*.flac")}
    assert run("mini", "--out", out, "--speakers", "2", "--sentences", "5") == 0
    assert before == {path: path.stat().st_mtime_ns for path in (out / "audio").rglob("*.flac")}
    assert run("mini", "--out", out, "--speakers", "3", "--sentences", "5") == 2


def test_maze_is_recorded_and_more_can_be_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    for episodes, recorded in ((3, 3), (4, 1)):
        assert run("maze", "--out", out, "--episodes", str(episodes), "--frames", "3", "--jobs", "1") == 0
        printed = capsys.readouterr().out
        assert f"{out}: {episodes} episodes of 3 frames, {recorded} recorded now" in printed
        assert f"splits: dev 1, test 1, train {episodes - 2}" in printed
    assert len(list((out / "episodes").iterdir())) == 4
    assert run("maze", "--out", out, "--episodes", "4", "--frames", "3", "--seed", "1") == 2
    assert "contains another recording" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["maze", "--seed", "-1"], "--seed -1: give a whole number from 0"),
        (["folder", "--jobs", "0"], "--jobs 0: give at least one process"),
        (["mini", "--speakers", "0"], "--speakers 0: give 1 to"),
        (["vctk"], "--root is missing; give the folder of the vctk corpus"),
        (["librispeech"], "--root is missing; give the folder of the librispeech corpus"),
        (["vctk", "--root", "nowhere"], "nowhere: no such folder; --root is the unpacked VCTK corpus"),
        (["librispeech", "--root", "."], ".: no SPEAKER/CHAPTER/*.flac in it; --root is LibriSpeech/"),
        (["folder", "--root", "nowhere"], "nowhere: no such folder; --root"),
        (["folder", "--root", ".", "--download"], "--download is for vctk and librispeech"),
        (["librispeech", "--root", ".", "--download", "dev"], "--download dev: no such subset"),
        (
            ["folder", "--root", "corpus", "--dev-fraction", "1"],
            "--dev-fraction 1.0 and --test-fraction 0.05",
        ),
        (["folder", "--root", "corpus", "--unseen-speakers", "eve"], "no speaker eve; there are p225, p226"),
    ],
)
def test_a_mistake_gives_one_line(
    corpus: Path,
    arguments: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(corpus.parent)
    assert run(*arguments, "--out", "out") == 2
    error = capsys.readouterr().err
    assert line in error and error.startswith("speechvq.prepare: error: ") and error.count("\n") == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "arguments", [["cake"], ["folder", "--jobs", "two"], ["vctk", "--mic", "3"], ["mini"]]
)
def test_wrong_flags_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        prepare.main(arguments)
    assert "usage: python -m speechvq.prepare" in capsys.readouterr().err


def test_interruption_leaves_complete_files_and_no_processes(tmp_path: Path) -> None:
    """Ctrl-C during the work of two processes; temporary files are removed by the next write."""
    for number in range(600):
        write_tone(tmp_path / f"corpus/s/{number:03d}.wav", seconds=0.3)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "speechvq.prepare", "folder", "--root", str(tmp_path / "corpus")]
    process = subprocess.Popen(
        [*command, "--out", str(out), "--jobs", "2"], stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: len(list(out.rglob("*.flac"))) > 4 or process.poll() is not None)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) == INTERRUPTED
    assert process.stderr is not None and "interrupted; the same command continues" in process.stderr.read()
    process.stderr.close()
    assert not (out / "manifest.tsv").exists()
    assert 4 < len([path for path in out.rglob("*.flac") if not path.name.startswith(".part-")]) < 600
    write_text(out / "audio/s/a.txt", "")
    assert not list(out.rglob(".part-*"))


def wait_until(holds: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
