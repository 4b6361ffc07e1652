"""PocketSphinx (optional extra "align"): forced alignment of known words, and phone recognition.

PocketSphinx adapts its features to previous audio. They are reset before every pass, so that equal calls give
equal results in any order.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from speechvq.alignment.intervals import Interval
from speechvq.alignment.phones import PHONES, SILENCE
from speechvq.audio.waveform import SAMPLE_RATE, normalize_level
from speechvq.errors import UserError

if TYPE_CHECKING:
    from pocketsphinx import Decoder

FRAME = 0.010  # s
PADDING = 0.2  # s of dither noise at both ends, since the search begins and ends in silence
DITHER = 40.0  # RMS in 16-bit steps; the acoustic model was not trained on digital silence

_WIDE = {"beam": 1e-100, "pbeam": 1e-100, "wbeam": 1e-80}  # the defaults are 1e-48, 1e-48 and 7e-29
_FULL_SCALE = 32_767
_DICTIONARY_PHONES = frozenset(PHONES) - {SILENCE}


class ForcedAligner:
    """Aligns the phones of known words with a recording.

    Raises:
        UserError: PocketSphinx is not installed.
    """

    def __init__(self) -> None:
        self._added = {_word_of(phone): phone for phone in sorted(_DICTIONARY_PHONES)}
        self._decoders: dict[bool, Decoder] = {}
        self._search(wide=False)

    def pronunciation(self, word: str) -> str | None:
        """First pronunciation of a lower-case word, phones separated by spaces; None for an unknown word."""
        return self._search(wide=False).lookup_word(word)

    def add_word(self, word: str, phones: str) -> None:
        """Add a word to the dictionary.

        Raises:
            ValueError: the word is already known, or a phone is not one of the 39.
        """
        if invalid := [phone for phone in phones.split() if phone not in _DICTIONARY_PHONES]:
            raise ValueError(f"{word}: {' '.join(invalid)} is not a phone")
        if not phones.split() or self.pronunciation(word):
            raise ValueError(f"{word}: already known, or without phones")
        self._added[word] = phones
        for decoder in self._decoders.values():
            decoder.add_word(word, phones, True)

    def align(
        self, samples: np.ndarray, words: Sequence[str], *, level: float = 1.0, wide: bool = False
    ) -> list[Interval]:
        """Align the best pronunciations of the words, with silences between words.

        Args:
            samples: (T,), float, 16 kHz.
            words: all in the dictionary.
            level: factor on the recording relative to the dither noise; at 1 the RMS is TARGET_RMS.
            wide: whether to use wide beams. It is slower and not more exact, but succeeds where narrow beams
                fail.

        Returns:
            Intervals without gaps on a grid of 10 ms, from before 0 to after T (the padding); empty if the
            words were not found in the recording.
        """
        pcm, decoder = _pcm(samples, level), self._search(wide=wide)
        try:
            decoder.set_align_text(" ".join(words))
            _decode(decoder, pcm)
            if decoder.hyp() is None:
                return []
            decoder.set_alignment()  # the first pass finds the words, the second their phones
            _decode(decoder, pcm)
        except (
            RuntimeError
        ):  # no words, or no path; the decoder may be stuck inside the utterance, so it is dropped
            del self._decoders[wide]
            return []
        found = decoder.get_alignment()
        spans = [(phone.start, phone.duration, phone.name) for word in found or () for phone in word]
        return _intervals(spans)

    def align_phones(
        self, samples: np.ndarray, phones: Sequence[str], *, level: float = 1.0
    ) -> list[Interval]:
        """Like `align`, with each phone as a word of its own: the last resort, without context."""
        return self.align(samples, [_word_of(phone) for phone in phones], level=level)

    def _search(self, *, wide: bool) -> "Decoder":
        """Decoder that knows all added words; it takes half a second to start."""
        if wide not in self._decoders:
            # With bestpath, 25 of 60 utterances of the built-in corpus have no path; without it 2.
            self._decoders[wide] = _decoder(lm=None, bestpath=False, **(_WIDE if wide else {}))
            for word, phones in self._added.items():
                self._decoders[wide].add_word(word, phones, True)
        return self._decoders[wide]


class PhoneRecognizer:
    """Recognizes phones without a word list, using a language model over phones.

    Raises:
        UserError: PocketSphinx is not installed.
    """

    def __init__(self) -> None:
        self._decoder = _decoder(allphone=_model("en-us/en-us-phone.lm.bin"), lw=2.0)

    def phones(self, samples: np.ndarray) -> list[str]:
        """Phones of a waveform (T,), 16 kHz, in order, without silences and noises."""
        _decode(self._decoder, _pcm(samples, 1.0))
        recognized = [segment.word for segment in self._decoder.seg() or ()]
        return [phone for phone in recognized if phone in _DICTIONARY_PHONES]

    def intervals(self, samples: np.ndarray) -> list[Interval]:
        """Recognized phones and silences of a waveform (T,), 16 kHz, within it; empty without a result."""
        _decode(self._decoder, _pcm(samples, 1.0))
        segments = list(self._decoder.seg() or ())
        spans = [(each.start_frame, each.end_frame - each.start_frame + 1, each.word) for each in segments]
        seconds = len(samples) / SAMPLE_RATE
        clipped = [
            Interval(max(each.start, 0.0), min(each.end, seconds), each.phone) for each in _intervals(spans)
        ]
        return [each for each in clipped if each.start < each.end]


def _decoder(**settings: object) -> "Decoder":
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise UserError("this needs PocketSphinx: pip install 'speechvq[align]'") from error
    return Decoder(samprate=SAMPLE_RATE, loglevel="FATAL", **settings)


def _model(path: str) -> str:
    try:
        from pocketsphinx import get_model_path
    except ImportError as error:
        raise UserError("this needs PocketSphinx: pip install 'speechvq[align]'") from error
    return get_model_path(path)


def _decode(decoder: "Decoder", pcm: bytes) -> None:
    decoder.reinit_feat()  # forget noise and channel of the previous recording
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()


def _pcm(samples: np.ndarray, level: float) -> bytes:
    """16-bit samples with padding at both ends and a fixed dither noise."""
    scaled = normalize_level(np.asarray(samples, np.float32)) * level
    padded = np.pad(scaled, round(PADDING * SAMPLE_RATE)) * _FULL_SCALE
    padded += DITHER * np.random.default_rng(0).standard_normal(len(padded), dtype=np.float32)
    return np.clip(padded, -_FULL_SCALE, _FULL_SCALE).astype(np.int16).tobytes()


def _intervals(spans: Sequence[tuple[int, int, str]]) -> list[Interval]:
    """Intervals of (first frame, frames, name); empty if the second pass left out frames."""
    ends = [start + length for start, length, _ in spans]
    whole = all(length > 0 for _, length, _ in spans)
    if not whole or any(end != start for end, (start, _, _) in zip(ends, spans[1:])):
        return []
    return [
        Interval(
            start * FRAME - PADDING,
            (start + length) * FRAME - PADDING,
            name if name in _DICTIONARY_PHONES else SILENCE,  # including noises such as +NSN+
        )
        for start, length, name in spans
    ]


def _word_of(phone: str) -> str:
    """Dictionary word that consists of one phone; no text contains such words."""
    return f"_{phone.lower()}"
