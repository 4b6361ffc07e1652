"""Did the sentence stay? Judged by phones and words that are heard, and by what resynthesis loses."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from speechvq.alignment.pocketsphinx import PhoneRecognizer
from speechvq.alignment.text_normalization import normalize_text
from speechvq.audio.waveform import read_waveform
from speechvq.data.conversions import Job
from speechvq.data.corpora.recording import read_text
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError
from speechvq.judges.metric import Heard
from speechvq.judges.speech_recognition import SpeechRecogniser
from speechvq.metrics.conversion import mel_distance
from speechvq.metrics.edit_distance import error_rate
from speechvq.metrics.mel_cepstrum import mel_cepstral_distance
from speechvq.metrics.summary import Figure, make_figure

Measure = Callable[[np.ndarray, np.ndarray], float]  # of two sounds, (T,) and (T',)


class Phones:
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


class PhoneJudge:
    """Did the sentence stay? Phones heard in the conversion against those heard in the source."""

    def __init__(self, phones: Phones) -> None:
        self._phones = phones
        self._rates: list[float] = []
        self._strangers: list[float] = []

    def hear(self, heard: Heard) -> None:
        """Measure one conversion, and how much its source differs from another sentence."""
        said = self._phones(heard.source)
        self._rates.append(error_rate(said, self._phones(heard.converted)))
        if heard.stranger is not None:
            self._strangers.append(error_rate(said, self._phones(heard.stranger)))

    def figures(self) -> list[Figure]:
        """The phone error rate of conversions."""
        names = ("phone_error_rate", "phones unlike the source's", "%")
        return [make_figure(*names, self._rates, chance=self._strangers, unchanged=[0.0])]


def resynthesis_of(source: Utterance, folder: Path) -> Path | None:
    """Where a source spoken again in its own voice lies: DIR/SPEAKER/UTT.wav or DIR/UTT.wav; or None."""
    places = (folder / source.speaker / f"{source.utt}.wav", folder / f"{source.utt}.wav")
    return next((place for place in places if place.is_file()), None)


class ResynthesisJudge:
    """What the codes alone lose: the source spoken again in its own voice, against the source.

    Raises:
        UserError: no such folder, or it has none of the sources.
    """

    def __init__(self, folder: Path, jobs: Sequence[Job], *, phones: Phones | None) -> None:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; expected DIR/UTT.wav or DIR/SPEAKER/UTT.wav")
        if all(resynthesis_of(job.utterance, folder) is None for job in jobs):
            raise UserError(f"{folder}: holds none of the sources; expected UTT.wav or SPEAKER/UTT.wav")
        self._folder, self._heard = folder, set()
        self._measures: dict[str, tuple[str, str, Measure]] = {
            "resynthesis_mel_distance": ("resynthesis, spectra away", "dB", mel_distance),
            "resynthesis_cepstral_distance": ("resynthesis, mel cepstra away", "dB", mel_cepstral_distance),
        }
        if phones is not None:
            self._measures["resynthesis_phone_error_rate"] = (
                "resynthesis, phones unlike the source's",
                "%",
                lambda source, again: error_rate(phones(source), phones(again)),
            )
        self._values: dict[str, list[float]] = {name: [] for name in self._measures}
        self._strangers: dict[str, list[float]] = {name: [] for name in self._measures}

    def hear(self, heard: Heard) -> None:
        """Measure the resynthesis of a source not heard before, if there is one."""
        source = heard.job.utterance
        path = resynthesis_of(source, self._folder)
        if path is None or source.utt in self._heard:
            return
        self._heard.add(source.utt)
        again = read_waveform(path)
        for name, (_, _, measure) in self._measures.items():
            self._values[name].append(measure(heard.source, again))
            if heard.stranger is not None:
                self._strangers[name].append(measure(heard.stranger, again))

    def figures(self) -> list[Figure]:
        """Distances of resynthesis, beside those from other sentences."""
        return [
            make_figure(name, label, unit, self._values[name], chance=self._strangers[name], unchanged=[0.0])
            for name, (label, unit, _) in self._measures.items()
        ]


class WordJudge:
    """Are the words still understood? Against the text of the sentence, UTT.txt at any depth of a folder.

    Raises:
        UserError: no such folder, a sentence has no text, or the recogniser cannot be downloaded.
    """

    def __init__(self, folder: Path, jobs: Sequence[Job], recogniser: SpeechRecogniser | None = None) -> None:
        texts = {path.stem: path for path in sorted(folder.rglob("*.txt"))}
        needed = sorted({job.utterance.utt for job in jobs})
        if lacking := [utt for utt in needed if utt not in texts]:
            raise UserError(f"{folder}: no {lacking[0]}.txt there, nor below; --wer needs what is said")
        self._said = {utt: normalize_text(read_text(texts[utt]) or "") for utt in needed}
        self._others = {utt: self._said[other] for utt, other in zip(needed, needed[1:])}
        self._recogniser = recogniser or SpeechRecogniser()
        self._rates: list[float] = []
        self._unchanged: list[float] = []
        self._strangers: list[float] = []

    def hear(self, heard: Heard) -> None:
        """Write down conversion and source."""
        utt = heard.job.utterance.utt
        found = normalize_text(self._recogniser.transcribe(heard.converted))
        self._rates.append(error_rate(self._said[utt], found))
        self._unchanged.append(
            error_rate(self._said[utt], normalize_text(self._recogniser.transcribe(heard.source)))
        )
        if utt in self._others:
            self._strangers.append(error_rate(self._others[utt], found))

    def figures(self) -> list[Figure]:
        """The word error rate of conversions; chance: against another sentence's text."""
        baselines = {"chance": self._strangers, "unchanged": self._unchanged}
        return [make_figure("word_error_rate", "words misheard", "%", self._rates, **baselines)]
