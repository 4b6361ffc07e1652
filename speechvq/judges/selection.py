"""Selection of the conversion metrics whose optional dependencies and inputs are available."""

from collections.abc import Callable, Sequence
from pathlib import Path

from speechvq.data.conversions import EvaluationFold
from speechvq.errors import UserError
from speechvq.judges.metric import Metric
from speechvq.judges.phone_error_rate import CachedPhoneRecognizer, PhoneErrorRate
from speechvq.judges.resynthesis import ResynthesisDistance
from speechvq.judges.speaker_similarity import SpeakerSimilarity
from speechvq.judges.speech_quality import SpeechQuality
from speechvq.judges.word_error_rate import WordErrorRate


def select_metrics(
    folds: Sequence[EvaluationFold],
    *,
    resynthesis: Path | None = None,
    transcripts: Path | None = None,
) -> tuple[list[Metric], list[str]]:
    """Available metrics, and a line for each metric that lacks an optional dependency.

    Args:
        folds: the conversions to measure.
        resynthesis: folder with the sources resynthesized by their own speakers, or None.
        transcripts: folder with UTT.txt for the word error rate, or None.

    Raises:
        UserError: a folder is missing or incomplete, or the speech recognizer cannot be downloaded.
    """
    metrics: list[Metric] = []
    left_out: list[str] = []

    def add(build: Callable[[], Metric]) -> None:
        try:
            metrics.append(build())
        except UserError as error:
            left_out.append(f"left out: {error}")

    pairs = [pair for fold in folds for pair in fold.pairs]
    recognizer = _phone_recognizer()
    add(lambda: PhoneErrorRate(recognizer or CachedPhoneRecognizer()))  # the second call raises the reason
    if resynthesis is not None:
        metrics.append(ResynthesisDistance(resynthesis, pairs, recognizer=recognizer))
    add(lambda: SpeakerSimilarity(folds))
    add(SpeechQuality)
    if transcripts is not None:
        metrics.append(WordErrorRate(transcripts, pairs))
    return metrics, left_out


def _phone_recognizer() -> CachedPhoneRecognizer | None:
    try:
        return CachedPhoneRecognizer()
    except UserError:
        return None
