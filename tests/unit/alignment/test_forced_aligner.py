"""Alignment of one recording: bias correction, fallbacks, unknown words and reported failures."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.audio_files import INVALID_AUDIO, write_invalid_audio, write_tone
from speechvq.alignment import forced_aligner
from speechvq.alignment.forced_aligner import (
    BOUNDARY_BIAS,
    LOW_LEVEL,
    AlignmentTask,
    align_recording,
    correct_bias,
)
from speechvq.alignment.intervals import Interval, read_lab
from speechvq.alignment.pocketsphinx import ForcedAligner
from speechvq.metrics.units.boundaries import boundary_errors, summarize_boundaries

HELLO = [
    Interval(-0.2, 0.05, "SIL"), Interval(0.05, 0.3, "HH"),
    Interval(0.3, 0.9, "AY"), Interval(0.9, 1.2, "SIL"),
]  # fmt: skip


def task_of(espeak_corpus: Path, folder: Path, number: int = 0) -> AlignmentTask:
    text = sorted(espeak_corpus.glob("txt/*/*.txt"))[number]
    audio = espeak_corpus / "audio" / text.parent.name / f"{text.stem}.flac"
    return AlignmentTask(audio, text, folder / f"{text.stem}.lab")


def test_the_bias_is_removed_and_the_ends_match_the_recording() -> None:
    found = correct_bias(HELLO, 1.0)
    assert found == [
        Interval(0.0, 0.05 + BOUNDARY_BIAS, "SIL"), Interval(0.05 + BOUNDARY_BIAS, 0.3 + BOUNDARY_BIAS, "HH"),
        Interval(0.3 + BOUNDARY_BIAS, 0.9 + BOUNDARY_BIAS, "AY"), Interval(0.9 + BOUNDARY_BIAS, 1.0, "SIL"),
    ]  # fmt: skip


def test_silences_at_the_ends_are_optional() -> None:
    assert [each.phone for each in correct_bias(HELLO, 0.9)] == ["SIL", "HH", "AY"]
    late = [Interval(-0.2, -0.02, "SIL"), Interval(-0.02, 0.5, "AY"), Interval(0.5, 0.7, "SIL")]
    assert correct_bias(late, 0.5) == [Interval(0.0, 0.5, "AY")]


def test_adjacent_silences_are_merged() -> None:
    more = [Interval(-0.2, -0.1, "SIL"), Interval(-0.1, 0.1, "SIL"), Interval(0.1, 0.5, "AY")]
    assert correct_bias(more, 0.8) == [
        Interval(0.0, 0.1 + BOUNDARY_BIAS, "SIL"),
        Interval(0.1 + BOUNDARY_BIAS, 0.8, "AY"),
    ]


@pytest.mark.parametrize("found", [[], [Interval(-0.2, 1.2, "SIL")], [Interval(-0.2, -0.1, "AY"), *HELLO]])
def test_phones_outside_the_recording_are_refused(found: list[Interval]) -> None:
    assert correct_bias(found, 1.0) == []


def test_a_recording_is_aligned(espeak_corpus: Path, tmp_path: Path) -> None:
    task = task_of(espeak_corpus, tmp_path)
    done = align_recording(task, {})
    assert done.attempt == "words" and done.seconds > 1 and not done.problem and not done.unknown
    reference = read_lab(espeak_corpus / "lab" / task.text.parent.name / task.lab.name)
    metrics = {
        each.name: each.value
        for each in summarize_boundaries([boundary_errors(read_lab(task.lab), reference)])
    }
    assert metrics["mean_error"] < 25 and metrics["coverage"] > 0.5
    assert read_lab(task.lab)[-1].end == pytest.approx(done.seconds)


def test_a_complete_alignment_is_kept_and_a_truncated_one_is_computed_again(
    espeak_corpus: Path, tmp_path: Path
) -> None:
    task = task_of(espeak_corpus, tmp_path)
    align_recording(task, {})
    task = dataclasses.replace(task, may_be_kept=True)
    content = task.lab.read_bytes()
    assert align_recording(task, {}).attempt == "kept"
    task.lab.write_bytes(content[: len(content) // 2])  # as after a power cut
    assert align_recording(task, {}).attempt == "words" and task.lab.read_bytes() == content
    assert align_recording(dataclasses.replace(task, may_be_kept=False), {}).attempt == "words"


def test_fallbacks_are_tried_in_order(
    espeak_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, attempts = [*HELLO], []
    answers: dict[str, list[Interval]] = {"softer": found, "wider": found, "phones": found}
    kinds = {(1.0, False): "words", (LOW_LEVEL, False): "softer", (1.0, True): "wider"}

    def align(
        _: ForcedAligner, __: np.ndarray, names: list[str], *, level: float = 1.0, wide: bool = False
    ) -> list[Interval]:
        kind = "phones" if names[0].isupper() else kinds[level, wide]
        attempts.append(kind)
        return answers.get(kind, [])

    monkeypatch.setattr(ForcedAligner, "align", align)
    monkeypatch.setattr(ForcedAligner, "align_phones", align)
    order = ["words", "softer", "wider", "phones"]
    for expected in ("softer", "wider", "phones", ""):
        attempts.clear()
        done = align_recording(task_of(espeak_corpus, tmp_path / f"to_{expected}"), {})
        assert done.attempt == expected and ("could not be aligned" in done.problem) == (not expected)
        assert attempts == (order[: order.index(expected) + 1] if expected else order)
        answers.pop(expected, None)


def test_unknown_words_are_reported_and_a_dictionary_takes_precedence(
    espeak_corpus: Path, tmp_path: Path
) -> None:
    task = task_of(espeak_corpus, tmp_path)
    words = task.text.read_text().split()
    text = tmp_path / "strange.txt"
    text.write_text(" ".join(["Blorft", *words]))
    strange = AlignmentTask(task.audio, text, tmp_path / "strange.lab")
    assert align_recording(strange, {}).unknown == {"blorft": "B L AO R F T"}
    strange.lab.unlink()
    assert align_recording(strange, {"blorft": "B AA"}).unknown == {}
    other = AlignmentTask(task.audio, task.text, tmp_path / "other.lab")
    first = words[0].lower()
    align_recording(other, {first: "M UW"})
    assert [each.phone for each in read_lab(other.lab) if each.phone != "SIL"][:2] == ["M", "UW"]
    align_recording(task, {})  # the dictionary of one recording does not affect another
    assert [each.phone for each in read_lab(task.lab) if each.phone != "SIL"][:2] != ["M", "UW"]


@pytest.mark.parametrize("name", INVALID_AUDIO)
def test_invalid_audio_is_reported(name: str, espeak_corpus: Path, tmp_path: Path) -> None:
    audio = write_invalid_audio(tmp_path, name)
    done = align_recording(
        AlignmentTask(audio, task_of(espeak_corpus, tmp_path).text, tmp_path / "a.lab"), {}
    )
    assert not done.attempt and INVALID_AUDIO[name] in done.problem and not (tmp_path / "a.lab").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no words"),
        (b"...", "has no words"),
        (b"\xff\xfe\x00", "not UTF-8"),
        ("привет".encode(), "are not English letters"),
        (b"a sentence that was never spoken here " * 9, "could not be aligned"),
    ],
)
def test_an_invalid_text_is_reported(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    audio = write_tone(tmp_path / "a.wav", samples=8_000)
    done = align_recording(AlignmentTask(audio, tmp_path / "a.txt", tmp_path / "a.lab"), {})
    assert not done.attempt and message in done.problem and not (tmp_path / "a.lab").exists()


def test_an_unwritable_output_is_a_user_error(espeak_corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    task = task_of(espeak_corpus, tmp_path)
    with pytest.raises(forced_aligner.UserError, match="cannot be written"):
        align_recording(AlignmentTask(task.audio, task.text, tmp_path / "file" / "a.lab"), {})


def test_a_text_that_is_squeezed_into_the_recording_is_doubted(
    espeak_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not align_recording(task_of(espeak_corpus, tmp_path / "a"), {}).is_doubtful
    squeezed = [Interval(0.03 * i, 0.03 * (i + 1), "AH") for i in range(9)] + [Interval(0.27, 9.0, "SIL")]
    monkeypatch.setattr(ForcedAligner, "align", lambda *_, **__: squeezed)
    task = task_of(espeak_corpus, tmp_path / "b")
    outcome = align_recording(task, {})
    assert outcome.attempt == "words" and outcome.is_doubtful and "is its transcript" in outcome.problem
    kept = align_recording(replace(task, may_be_kept=True), {})
    assert kept.attempt == "kept" and kept.is_doubtful and kept.problem == outcome.problem
