"""Word and character error rates (WER, CER) of conversions against the text of their sources."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from speechvq.data.corpora.recording import read_text
from speechvq.data.manifest import Utterance, utterance_names
from speechvq.errors import UserError
from speechvq.io.folders import files_below
from speechvq.io.utterance_files import by_utterance, find_matches, relative_names
from speechvq.judges.metric import ConversionExample, by_content
from speechvq.metrics.edit_distance import distance
from speechvq.metrics.summary import MetricSummary, summarize_metric


class Recognizer(Protocol):
    """Speech to text, and texts to the words that are compared."""

    description: str  # of the recognizer and its settings

    def transcribe(self, wave: np.ndarray) -> str:
        """Text of a recording (T,), 16 kHz."""

    def words(self, text: str) -> list[str]:
        """Normalized words of a text."""


class TextErrors(NamedTuple):
    """Edit distances of a transcript from a text, and the lengths of the text."""

    word_errors: int
    words: int
    character_errors: int
    characters: int


def text_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> TextErrors:
    """Errors in words, and in characters with a space between words.

    Args:
        reference: words of the text.
        hypothesis: words of the transcript.
    """
    letters, found = " ".join(reference), " ".join(hypothesis)
    return TextErrors(distance(reference, hypothesis), len(reference), distance(letters, found), len(letters))


def read_texts(folder: Path, sources: Iterable[Utterance]) -> dict[str, str]:
    """The texts UTT.txt or SPEAKER/UTT.txt of recordings, at any depth below a folder.

    Raises:
        UserError: no such folder, or an utterance has no text.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of the texts, UTT.txt for each source")
    files, names = by_utterance(files_below(folder, {".txt"}), folder), utterance_names(sources)
    text_of, _ = find_matches(names, relative_names(files, folder), shared=True)
    texts = {}
    for utt in sorted(names):
        text = read_text(files[text_of[utt]]) if utt in text_of else None
        if text is None:
            raise UserError(
                f"{folder}: no {utt}.txt with words in this folder or below; the word error rate needs the "
                "text of every source"
            )
        texts[utt] = text
    return texts


class WordErrorRate:
    """Words recognized in the conversion against the text of the source; chance: another sentence's text.

    The rates are the errors of all conversions divided by the length of all texts.
    """

    def __init__(self, texts: Mapping[str, str], recognizer: Recognizer) -> None:
        """
        Args:
            texts: of every source, see `read_texts`.
            recognizer: of the words.
        """
        self._texts = {utt: recognizer.words(text) for utt, text in texts.items()}
        self._other_texts = dict(zip(self._texts, list(self._texts.values())[1:]))
        self._words = by_content(lambda wave: recognizer.words(recognizer.transcribe(wave)))
        self._errors: dict[str, list[TextErrors]] = {"values": []}

    def update(self, example: ConversionExample) -> None:
        """Transcribe the conversion, the source and its lossy copy."""
        utt, found = example.pair.source.utt, {}
        for kind, wave in example.sounds().items():
            if kind in ("values", "source_baseline", "lossy_copy"):  # the others hold other sentences
                found[kind] = self._words(wave)
                self._add(kind, self._texts[utt], found[kind])
        if utt in self._other_texts:
            self._add("chance", self._other_texts[utt], found["values"])

    def compute(self) -> list[MetricSummary]:
        """The word error rate and the character error rate of the conversions."""
        return [
            self._summary("word_error_rate", "WER (%) ↓", 0),
            self._summary("character_error_rate", "CER (%) ↓", 2),
        ]

    def _add(self, kind: str, reference: Sequence[str], hypothesis: Sequence[str]) -> None:
        self._errors.setdefault(kind, []).append(text_errors(reference, hypothesis))

    def _summary(self, name: str, label: str, field: int) -> MetricSummary:
        """Summary of the errors in a field of `TextErrors`; the next field is the length."""
        counts = {kind: np.array(errors)[:, field : field + 2] for kind, errors in self._errors.items()}
        rates, lengths = _rates(counts.pop("values")), [each[field + 1] for each in self._errors["values"]]
        baselines = {kind: [_rates(each.sum(0)[None])[0]] for kind, each in counts.items()}
        return summarize_metric(name, label, "%", rates, weights=lengths, **baselines)


def _rates(counts: np.ndarray) -> list[float]:
    """Errors divided by lengths: (n, 2) to n; NaN for an empty text."""
    return [errors / length if length else math.nan for errors, length in counts.tolist()]
