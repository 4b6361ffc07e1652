"""The judges of conversions that can be asked here: some need an extra library, a folder or the network."""

from collections.abc import Callable, Sequence
from pathlib import Path

from speechvq.data.conversions import EvaluationFold
from speechvq.errors import UserError
from speechvq.judges.intelligibility import (
    CachedPhoneRecognizer,
    PhoneErrorRate,
    ResynthesisDistance,
    WordErrorRate,
)
from speechvq.judges.metric import Metric
from speechvq.judges.voice import SpeakerSimilarity, SpeechQuality


def select_metrics(
    folds: Sequence[EvaluationFold],
    *,
    resynthesis: Path | None = None,
    transcripts: Path | None = None,
) -> tuple[list[Metric], list[str]]:
    """The judges, and a line for each that is left out for want of an optional library.

    Args:
        folds: what they will hear.
        resynthesis: folder of the sources spoken again in their own voices, or None.
        texts: folder of UTT.txt, for words that are misheard; or None.

    Raises:
        UserError: a folder is missing or incomplete, or the recogniser of words cannot be downloaded.
    """
    judges: list[Metric] = []
    left_out: list[str] = []

    def ask(make: Callable[[], Metric]) -> None:
        try:
            judges.append(make())
        except UserError as error:
            left_out.append(f"left out: {error}")

    jobs = [job for fold in folds for job in fold.pairs]
    phones = _phones()
    ask(lambda: PhoneErrorRate(phones or CachedPhoneRecognizer()))  # the second call says what is missing
    if resynthesis is not None:
        judges.append(ResynthesisDistance(resynthesis, jobs, phones=phones))
    ask(lambda: SpeakerSimilarity(folds))
    ask(SpeechQuality)
    if transcripts is not None:
        judges.append(WordErrorRate(transcripts, jobs))
    return judges, left_out


def _phones() -> CachedPhoneRecognizer | None:
    try:
        return CachedPhoneRecognizer()
    except UserError:
        return None
