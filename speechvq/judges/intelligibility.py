"""Did the sentence stay? Judged by phones and words that are heard, and by what resynthesis loses."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from speechvq.alignment.pocketsphinx import PhoneRecognizer
from speechvq.alignment.text_normalization import normalize_text
from speechvq.audio.waveform import read_waveform
from speechvq.data.conversions import ConversionPair
from speechvq.data.corpora.recording import read_text
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError
from speechvq.judges.metric import ConversionExample
from speechvq.judges.speech_recognition import SpeechRecognizer
from speechvq.metrics.conversion import log_mel_distance
from speechvq.metrics.edit_distance import error_rate
from speechvq.metrics.mel_cepstrum import mel_cepstral_distortion
from speechvq.metrics.summary import MetricSummary, summarize_metric

Measure = Callable[[np.ndarray, np.ndarray], float]  # of two sounds, (T,) and (T',)


class CachedPhoneRecognizer:
    """A phone recogniser that hears no sound twice: one source is converted to many voices.

    Raises:
        UserError: PocketSphinx is not installed.
    """

    def __init__(self) -> None:
        self._recogniser = PhoneRecognizer()
        self._known: dict[bytes, list[str]] = {}

    def __call__(self, wave: np.ndarray) -> list[str]:
        """The phones of (T,), 16 kHz."""
        key = blake2b(wave.tobytes()).digest()
        if key not in self._known:
            self._known[key] = self._recogniser.phones(wave)
        return self._known[key]


class PhoneErrorRate:
    """Did the sentence stay? Phones heard in the conversion against those heard in the source."""

    def __init__(self, phones: CachedPhoneRecognizer) -> None:
        self._phones = phones
        self._rates: list[float] = []
        self._strangers: list[float] = []

    def update(self, heard: ConversionExample) -> None:
        """Measure one conversion, and how much its source differs from another sentence."""
        said = self._phones(heard.source)
        self._rates.append(error_rate(said, self._phones(heard.converted)))
        if heard.mismatched_sentence is not None:
            self._strangers.append(error_rate(said, self._phones(heard.mismatched_sentence)))

    def compute(self) -> list[MetricSummary]:
        """The phone error rate of conversions."""
        names = ("phone_error_rate", "phones unlike the source's", "%")
        return [summarize_metric(*names, self._rates, chance=self._strangers, source_baseline=[0.0])]


def find_resynthesis(source: Utterance, folder: Path) -> Path | None:
    """Where a source spoken again in its own voice lies: DIR/SPEAKER/UTT.wav or DIR/UTT.wav; or None."""
    places = (folder / source.speaker / f"{source.utt}.wav", folder / f"{source.utt}.wav")
    return next((place for place in places if place.is_file()), None)


class ResynthesisDistance:
    """What the codes alone lose: the source spoken again in its own voice, against the source.

    Raises:
        UserError: no such folder, or it has none of the sources.
    """

    def __init__(
        self, folder: Path, jobs: Sequence[ConversionPair], *, phones: CachedPhoneRecognizer | None
    ) -> None:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; expected DIR/UTT.wav or DIR/SPEAKER/UTT.wav")
        if all(find_resynthesis(job.source, folder) is None for job in jobs):
            raise UserError(f"{folder}: holds none of the sources; expected UTT.wav or SPEAKER/UTT.wav")
        self._folder, self._heard = folder, set()
        self._measures: dict[str, tuple[str, str, Measure]] = {
            "resynthesis_log_mel_distance_db": ("resynthesis, spectra away", "dB", log_mel_distance),
            "resynthesis_mel_cepstral_distortion_db": (
                "resynthesis, mel cepstra away",
                "dB",
                mel_cepstral_distortion,
            ),
        }
        if phones is not None:
            self._measures["resynthesis_phone_error_rate"] = (
                "resynthesis, phones unlike the source's",
                "%",
                lambda source, again: error_rate(phones(source), phones(again)),
            )
        self._values: dict[str, list[float]] = {name: [] for name in self._measures}
        self._strangers: dict[str, list[float]] = {name: [] for name in self._measures}

    def update(self, heard: ConversionExample) -> None:
        """Measure the resynthesis of a source not heard before, if there is one."""
        source = heard.pair.source
        path = find_resynthesis(source, self._folder)
        if path is None or source.utt in self._heard:
            return
        self._heard.add(source.utt)
        again = read_waveform(path)
        for name, (_, _, measure) in self._measures.items():
            self._values[name].append(measure(heard.source, again))
            if heard.mismatched_sentence is not None:
                self._strangers[name].append(measure(heard.mismatched_sentence, again))

    def compute(self) -> list[MetricSummary]:
        """Distances of resynthesis, beside those from other sentences."""
        return [
            summarize_metric(
                name, label, unit, self._values[name], chance=self._strangers[name], source_baseline=[0.0]
            )
            for name, (label, unit, _) in self._measures.items()
        ]


class WordErrorRate:
    """Are the words still understood? Against the text of the sentence, UTT.txt at any depth of a folder.

    Raises:
        UserError: no such folder, a sentence has no text, or the recogniser cannot be downloaded.
    """

    def __init__(
        self, folder: Path, jobs: Sequence[ConversionPair], recogniser: SpeechRecognizer | None = None
    ) -> None:
        texts = {path.stem: path for path in sorted(folder.rglob("*.txt"))}
        needed = sorted({job.source.utt for job in jobs})
        if lacking := [utt for utt in needed if utt not in texts]:
            raise UserError(f"{folder}: no {lacking[0]}.txt there, nor below; --wer needs what is said")
        self._said = {utt: normalize_text(read_text(texts[utt]) or "") for utt in needed}
        self._others = {utt: self._said[other] for utt, other in zip(needed, needed[1:])}
        self._recogniser = recogniser or SpeechRecognizer()
        self._rates: list[float] = []
        self._unchanged: list[float] = []
        self._strangers: list[float] = []

    def update(self, heard: ConversionExample) -> None:
        """Write down conversion and source."""
        utt = heard.pair.source.utt
        found = normalize_text(self._recogniser.transcribe(heard.converted))
        self._rates.append(error_rate(self._said[utt], found))
        self._unchanged.append(
            error_rate(self._said[utt], normalize_text(self._recogniser.transcribe(heard.source)))
        )
        if utt in self._others:
            self._strangers.append(error_rate(self._others[utt], found))

    def compute(self) -> list[MetricSummary]:
        """The word error rate of conversions; chance: against another sentence's text."""
        baselines = {"chance": self._strangers, "source_baseline": self._unchanged}
        return [summarize_metric("word_error_rate", "words misheard", "%", self._rates, **baselines)]
