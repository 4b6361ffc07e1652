"""PocketSphinx: forced alignment independent of the order of recordings, failures, and phone recognition."""

import sys
from pathlib import Path

import numpy as np
import pytest

from speechvq.alignment.pocketsphinx import FRAME, PADDING, ForcedAligner, PhoneRecognizer
from speechvq.alignment.text_normalization import normalize_text
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.errors import UserError
from speechvq.metrics.edit_distance import distance


@pytest.fixture(scope="module")
def aligner() -> ForcedAligner:
    return ForcedAligner()


def sentences(espeak_corpus: Path) -> list[tuple[np.ndarray, list[str]]]:
    texts = sorted(espeak_corpus.glob("txt/*/*.txt"))
    audio = (espeak_corpus / "audio" / path.parent.name / f"{path.stem}.flac" for path in texts)
    return [(read_waveform(path), normalize_text(text.read_text())) for path, text in zip(audio, texts)]


def test_phones_cover_the_recording_and_its_padding(aligner: ForcedAligner, espeak_corpus: Path) -> None:
    samples, words = sentences(espeak_corpus)[0]
    found = aligner.align(samples, words)
    assert found[0].start == pytest.approx(-PADDING)
    assert found[-1].end == pytest.approx(len(samples) / SAMPLE_RATE + PADDING, abs=3 * FRAME)
    assert all(a.end == pytest.approx(b.start) and a.start < a.end for a, b in zip(found, found[1:]))
    spelled = [phone for word in words for phone in (aligner.pronunciation(word) or "").split()]
    aligned = [each.phone for each in found if each.phone != "SIL"]
    assert distance(aligned, spelled) <= 3  # alternative pronunciations of the dictionary


def test_results_do_not_depend_on_previous_recordings(aligner: ForcedAligner, espeak_corpus: Path) -> None:
    recordings = sentences(espeak_corpus)[:4]
    forwards = [aligner.align(*each) for each in recordings]
    assert [aligner.align(*each) for each in reversed(recordings)] == forwards[::-1]
    assert ForcedAligner().align(*recordings[-1]) == forwards[-1]


def test_given_phones_are_aligned(aligner: ForcedAligner, espeak_corpus: Path) -> None:
    samples, words = sentences(espeak_corpus)[0]
    phones = [phone for word in words for phone in (aligner.pronunciation(word) or "").split()]
    found = aligner.align_phones(samples, phones)
    assert [each.phone for each in found if each.phone != "SIL"] == phones


def test_absent_words_give_no_alignment(aligner: ForcedAligner) -> None:
    noise = np.random.default_rng(0).standard_normal(8_000).astype(np.float32)
    for samples in (np.zeros(8_000), noise, np.zeros(1), np.zeros(0)):
        assert aligner.align(samples, ["hello", "world"] * 20) == []
    assert aligner.align(noise, []) == [] and aligner.align(noise, ["zzxq"]) == []


def test_a_wider_search_finds_the_same_words(aligner: ForcedAligner, espeak_corpus: Path) -> None:
    samples, words = sentences(espeak_corpus)[0]
    if aligner.pronunciation("zork") is None:
        aligner.add_word("zork", aligner.pronunciation(words[0]) or "AH")
    narrow, wide = aligner.align(samples, words), aligner.align(samples, ["zork", *words[1:]], wide=True)
    assert distance([each.phone for each in narrow], [each.phone for each in wide]) <= 3


def test_words_can_be_added(aligner: ForcedAligner) -> None:
    assert aligner.pronunciation("hello") == "HH AH L OW" and aligner.pronunciation("blorft") is None
    aligner.add_word("blorft", "B L AO R F T")
    assert aligner.pronunciation("blorft") == "B L AO R F T"
    for word, phones in (("blorft", "B AH"), ("hello", "B AH"), ("new", "B OH"), ("zzy", ""), ("zzy", "SIL")):
        with pytest.raises(ValueError, match=word):
            aligner.add_word(word, phones)


def test_recognized_phones_are_stable_and_differ_between_sentences(espeak_corpus: Path) -> None:
    recognizer = PhoneRecognizer()
    (one, _), (other, _) = sentences(espeak_corpus)[1], sentences(espeak_corpus)[2]
    recognized = recognizer.phones(one)
    assert len(recognized) > 15 and recognized == recognizer.phones(one) and "SIL" not in recognized
    again = distance(recognizer.phones(one + 0.001), recognized)
    assert again < distance(recognizer.phones(other), recognized)
    assert recognizer.phones(np.zeros(8_000)) == recognizer.phones(np.zeros(0)) == []


@pytest.mark.parametrize("make", [ForcedAligner, PhoneRecognizer])
def test_without_pocketsphinx_the_remedy_is_named(make: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(UserError, match=r"pip install 'speechvq\[align\]'"):
        make()
