"""Word error rate (WER) of conversions against the text of their sources."""

from collections.abc import Sequence
from pathlib import Path

from speechvq.alignment.text_normalization import normalize_text
from speechvq.data.conversions import ConversionPair
from speechvq.data.corpora.recording import read_text
from speechvq.data.manifest import utterance_names
from speechvq.errors import UserError
from speechvq.io.folders import files_below
from speechvq.io.utterance_files import by_utterance, find_matches, relative_names
from speechvq.judges.metric import ConversionExample
from speechvq.judges.speech_recognition import SpeechRecognizer
from speechvq.metrics.edit_distance import error_rate
from speechvq.metrics.summary import MetricSummary, summarize_metric


class WordErrorRate:
    """Words recognized in the conversion against the text of the source; chance: another sentence's text."""

    def __init__(
        self, folder: Path, pairs: Sequence[ConversionPair], recognizer: SpeechRecognizer | None = None
    ) -> None:
        """
        Args:
            folder: holds UTT.txt at any depth.
            pairs: conversions to measure.
            recognizer: None for wav2vec 2.0.

        Raises:
            UserError: no such folder, a sentence has no text, or the recognizer cannot be downloaded.
        """
        files = by_utterance(files_below(folder, {".txt"}), folder)
        sources = utterance_names(pair.source for pair in pairs)
        text_of, _ = find_matches(sources, relative_names(files, folder), shared=True)
        texts = {utt: files[own] for utt, own in text_of.items()}
        needed = sorted(sources)
        if missing := [utt for utt in needed if utt not in texts]:
            raise UserError(
                f"{folder}: no {missing[0]}.txt in this folder or below; --wer needs the text of every source"
            )
        self._texts = {utt: normalize_text(read_text(texts[utt]) or "") for utt in needed}
        self._other_texts = {utt: self._texts[other] for utt, other in zip(needed, needed[1:])}
        self._recognizer = recognizer or SpeechRecognizer()
        self._rates: list[float] = []
        self._sources: list[float] = []
        self._mismatched: list[float] = []

    def update(self, example: ConversionExample) -> None:
        """Transcribe conversion and source."""
        utt = example.pair.source.utt
        converted = normalize_text(self._recognizer.transcribe(example.converted))
        source = normalize_text(self._recognizer.transcribe(example.source))
        self._rates.append(error_rate(self._texts[utt], converted))
        self._sources.append(error_rate(self._texts[utt], source))
        if utt in self._other_texts:
            self._mismatched.append(error_rate(self._other_texts[utt], converted))

    def compute(self) -> list[MetricSummary]:
        """The word error rate of the conversions."""
        return [
            summarize_metric(
                "word_error_rate",
                "WER (%) ↓",
                "%",
                self._rates,
                chance=self._mismatched,
                source_baseline=self._sources,
            )
        ]
