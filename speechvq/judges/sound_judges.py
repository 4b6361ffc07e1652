"""Scores of one sound by all judges that are installed: words, quality, speaker and F0."""

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple, TypeVar

import numpy as np

from speechvq.audio.f0 import f0_contour
from speechvq.errors import UserError
from speechvq.judges.distillmos import DistillMosModel
from speechvq.judges.speaker_embedding import SpeakerEncoder
from speechvq.judges.speech_quality import DnsmosModel, QualityModel
from speechvq.judges.word_error_rate import Recognizer, text_errors
from speechvq.metrics.f0_errors import f0_errors

T = TypeVar("T")


class Expectation(NamedTuple):
    """What a sound is compared with; None leaves the scores out that need it."""

    text: str | None
    source_embedding: np.ndarray | None  # (256,), of the source speaker's other recordings
    target_embedding: np.ndarray | None  # (256,), of recordings of the target speaker
    f0: np.ndarray | None  # (F,), Hz, the contour that the sound is meant to have


class SoundJudges:
    """The judges that are installed.

    Attributes:
        descriptions: of each judge and its settings.
        left_out: a line for each judge whose package is missing, with the remedy.
        speakers: the speaker encoder, or None.
    """

    def __init__(self, recognizer: Recognizer | None) -> None:
        """
        Args:
            recognizer: of the words; None leaves them out.
        """
        self.descriptions: list[str] = [recognizer.description] if recognizer else []
        self.left_out: list[str] = []
        self._recognizer = recognizer
        self._quality: dict[str, QualityModel] = {}
        if distillmos := self._load(DistillMosModel, "distillmos"):
            self._quality["distillmos"] = distillmos
        if dnsmos := self._load(DnsmosModel, "speechmos"):
            self._quality["dnsmos_overall"] = dnsmos
        self.speakers = self._load(SpeakerEncoder, "resemblyzer")

    def scores(self, wave: np.ndarray, expected: Expectation) -> tuple[dict[str, float], str]:
        """The scores of a sound (T,), 16 kHz, by the names of `metrics.stages`, and its transcript."""
        scores: dict[str, float] = {}
        transcript = ""
        if self._recognizer and expected.text is not None:
            transcript = self._recognizer.transcribe(wave)
            found = self._recognizer.words(transcript)
            scores |= text_errors(self._recognizer.words(expected.text), found)._asdict()
        for name, model in self._quality.items():
            scores[name] = model.overall_score(wave)
        if self.speakers:
            scores |= self._speaker_scores(self.speakers.embed(wave), expected)
        if expected.f0 is not None:
            errors = f0_errors(expected.f0, f0_contour(wave))
            scores |= {"f0_gross_error": errors.gross_error, "f0_rmse_cents": errors.rmse_cents}
        return scores, transcript

    def _speaker_scores(self, embedding: np.ndarray, expected: Expectation) -> Mapping[str, float]:
        source, target = expected.source_embedding, expected.target_embedding
        scores = {}
        if source is not None:
            scores["source_cosine"] = float(embedding @ source)
        if target is not None:
            scores["target_cosine"] = float(embedding @ target)
        if len(scores) == 2:
            scores["target_preferred"] = float(scores["target_cosine"] > scores["source_cosine"])
        return scores

    def _load(self, build: Callable[[], T], package: str) -> T | None:
        try:
            judge = build()
        except UserError as error:
            self.left_out.append(f"left out: {error}")
            return None
        self.descriptions.append(_with_version(package))
        return judge


def _with_version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:  # a copy on the path
        return package
