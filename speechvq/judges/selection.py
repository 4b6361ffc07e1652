"""Selection of the conversion metrics whose optional dependencies and inputs are available."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechvq.data.conversions import EvaluationFold
from speechvq.errors import UserError
from speechvq.judges import speech_quality
from speechvq.judges.ctc_phones import CtcPhoneRecognizer
from speechvq.judges.metric import Metric, by_content
from speechvq.judges.phone_error_rate import PhoneErrorRate
from speechvq.judges.resynthesis import ResynthesisDistance
from speechvq.judges.speaker_similarity import SpeakerSimilarity
from speechvq.judges.speech_recognition import SpeechRecognizer
from speechvq.judges.whisper import LANGUAGE, WhisperRecognizer, require_extra
from speechvq.judges.word_error_rate import Recognizer, WordErrorRate, read_texts


class WordSettings(NamedTuple):
    """What the word error rate is measured with."""

    texts: Path  # folder with UTT.txt
    whisper: str | None = None  # directory or name; None for wav2vec 2.0
    language: str = LANGUAGE


class SelectedMetrics(NamedTuple):
    """Metrics, and what is to be said about them."""

    metrics: list[Metric]
    judges: list[str]  # descriptions of networks whose settings move the result
    left_out: list[str]  # a line for each metric that lacks an optional dependency


def select_metrics(
    folds: Sequence[EvaluationFold],
    *,
    resynthesis: Path | None = None,
    words: WordSettings | None = None,
) -> SelectedMetrics:
    """Available metrics, words and quality first, and a line for each that lacks an optional dependency.

    Args:
        folds: the conversions to measure.
        resynthesis: folder with the sources resynthesized by their own speakers, or None.
        words: of the word error rate; None leaves it out.

    Raises:
        UserError: a folder is missing or incomplete, or the speech recognizer cannot be loaded.
    """
    selected = SelectedMetrics([], [], [])

    def add(build: Callable[[], Metric]) -> None:
        try:
            selected.metrics.append(build())
        except UserError as error:
            selected.left_out.append(f"left out: {error}")

    pairs = [pair for fold in folds for pair in fold.pairs]
    phones = _phone_recognizer()
    if words:
        texts = read_texts(words.texts, (pair.source for pair in pairs))
        if recognizer := _recognizer(words, selected.left_out):
            selected.metrics.append(WordErrorRate(texts, recognizer))
            selected.judges.append(recognizer.description)
    add(lambda: PhoneErrorRate(phones or _load_phone_recognizer()))  # the second call raises the reason
    add(speech_quality.distillmos)
    add(speech_quality.dnsmos)
    add(lambda: SpeakerSimilarity(folds))
    if resynthesis is not None:
        selected.metrics.append(ResynthesisDistance(resynthesis, pairs, recognizer=phones))
    return selected


def _recognizer(words: WordSettings, left_out: list[str]) -> Recognizer | None:
    """The speech recognizer; None if Whisper is wanted and its packages are missing."""
    if words.whisper is None:
        return SpeechRecognizer()
    try:
        require_extra()
    except UserError as error:
        left_out.append(f"left out: {error}")
        return None
    return WhisperRecognizer(words.whisper, language=words.language)


def _phone_recognizer() -> Callable[[np.ndarray], list[str]] | None:
    try:
        return _load_phone_recognizer()
    except UserError:
        return None


def _load_phone_recognizer() -> Callable[[np.ndarray], list[str]]:
    """Recognizes the phones of a waveform and keeps the results.

    Raises:
        UserError: hama is not installed.
    """
    return by_content(CtcPhoneRecognizer().phones)
