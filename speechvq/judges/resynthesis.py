"""Distances between sources and their resynthesis by the source speaker, which show the loss of the codes."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from speechvq.audio.formats import audio_files_below
from speechvq.audio.waveform import read_waveform
from speechvq.data.conversions import ConversionPair
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError
from speechvq.io.utterance_files import relative_name
from speechvq.judges.metric import ConversionExample
from speechvq.metrics.conversion import log_mel_distance
from speechvq.metrics.edit_distance import error_rate
from speechvq.metrics.mel_cepstrum import mel_cepstral_distortion
from speechvq.metrics.summary import MetricSummary, summarize_metric

Distance = Callable[[np.ndarray, np.ndarray], float]  # of two waveforms, (T,) and (T',)


def find_resyntheses(sources: Iterable[Utterance], folder: Path) -> dict[Utterance, Path]:
    """The resynthesis of each source that has one, DIR/SPEAKER/UTT.wav or DIR/UTT.wav.

    Raises:
        UserError: no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected DIR/UTT.wav or DIR/SPEAKER/UTT.wav")
    files = {relative_name(path, folder): path for path in audio_files_below(folder)}
    # Not by name alone: the folder may hold conversions to other speakers too.
    named = {source: (f"{source.speaker}/{source.utt}", source.utt) for source in sources}
    places = {source: next((name for name in names if name in files), "") for source, names in named.items()}
    return {source: files[name] for source, name in places.items() if name}


class ResynthesisDistance:
    """Log-mel distance, mel-cepstral distortion and phone error rate between sources and their resynthesis.

    Every source is measured once, however many conversions it has. Chance: another sentence.
    """

    def __init__(
        self,
        folder: Path,
        pairs: Sequence[ConversionPair],
        *,
        recognizer: Callable[[np.ndarray], list[str]] | None,
    ) -> None:
        """
        Args:
            folder: holds DIR/UTT.wav or DIR/SPEAKER/UTT.wav.
            pairs: conversions to measure.
            recognizer: of the phones of a waveform; None leaves out the phone error rate.

        Raises:
            UserError: no such folder, or it holds none of the sources.
        """
        self._files = find_resyntheses((pair.source for pair in pairs), folder)
        if not self._files:
            raise UserError(f"{folder}: holds none of the sources; expected UTT.wav or SPEAKER/UTT.wav")
        self._measured: set[str] = set()
        self._distances: dict[str, tuple[str, str, Distance]] = {
            "resynthesis_log_mel_distance_db": (
                "resynthesis: log-mel distance to source (dB) ↓",
                "dB",
                log_mel_distance,
            ),
            "resynthesis_mel_cepstral_distortion_db": (
                "resynthesis: mel-cepstral distortion (dB) ↓",
                "dB",
                mel_cepstral_distortion,
            ),
        }
        if recognizer is not None:
            self._distances["resynthesis_phone_error_rate"] = (
                "resynthesis: phone error rate vs. source (%) ↓",
                "%",
                lambda source, resynthesis: error_rate(recognizer(source), recognizer(resynthesis)),
            )
        self._values: dict[str, list[float]] = {name: [] for name in self._distances}
        self._mismatched: dict[str, list[float]] = {name: [] for name in self._distances}

    def update(self, example: ConversionExample) -> None:
        """Measure the resynthesis of a source, unless it has none or is already measured."""
        source = example.pair.source
        path = self._files.get(source)
        if path is None or source.utt in self._measured:
            return
        self._measured.add(source.utt)
        resynthesis = read_waveform(path)
        for name, (_, _, distance) in self._distances.items():
            self._values[name].append(distance(example.source, resynthesis))
            if example.mismatched_sentence is not None:
                self._mismatched[name].append(distance(example.mismatched_sentence, resynthesis))

    def compute(self) -> list[MetricSummary]:
        """Mean distances."""
        return [
            summarize_metric(
                name,
                label,
                unit,
                self._values[name],
                chance=self._mismatched[name],
                source_baseline=[0.0],
            )
            for name, (label, unit, _) in self._distances.items()
        ]
