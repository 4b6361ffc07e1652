"""The judges of conversions that can be asked here: some need an extra library, a folder or the network."""

from collections.abc import Callable, Sequence
from pathlib import Path

from speechvq.data.conversions import Fold
from speechvq.errors import UserError
from speechvq.judges.intelligibility import PhoneJudge, Phones, ResynthesisJudge, WordJudge
from speechvq.judges.metric import Judge
from speechvq.judges.voice import EmbeddingJudge, OpinionJudge


def choose_judges(
    folds: Sequence[Fold],
    *,
    resynthesis: Path | None = None,
    texts: Path | None = None,
) -> tuple[list[Judge], list[str]]:
    """The judges, and a line for each that is left out for want of an optional library.

    Args:
        folds: what they will hear.
        resynthesis: folder of the sources spoken again in their own voices, or None.
        texts: folder of UTT.txt, for words that are misheard; or None.

    Raises:
        UserError: a folder is missing or incomplete, or the recogniser of words cannot be downloaded.
    """
    judges: list[Judge] = []
    left_out: list[str] = []

    def ask(make: Callable[[], Judge]) -> None:
        try:
            judges.append(make())
        except UserError as error:
            left_out.append(f"left out: {error}")

    jobs = [job for fold in folds for job in fold.jobs]
    phones = _phones()
    ask(lambda: PhoneJudge(phones or Phones()))  # the second call says what is missing
    if resynthesis is not None:
        judges.append(ResynthesisJudge(resynthesis, jobs, phones=phones))
    ask(lambda: EmbeddingJudge(folds))
    ask(OpinionJudge)
    if texts is not None:
        judges.append(WordJudge(texts, jobs))
    return judges, left_out


def _phones() -> Phones | None:
    try:
        return Phones()
    except UserError:
        return None
