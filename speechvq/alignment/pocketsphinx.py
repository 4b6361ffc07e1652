"""PocketSphinx (the optional extra "align"): places of the phones of known words, and phones of unknown ones.

Its features depend on what was heard before, so they are made anew for every pass: equal calls give equal
answers, in any order and company.
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
PADDING = 0.2  # s of hiss at both ends: the search begins and ends in silence
DITHER = 40.0  # RMS in steps of 16 bits; digital silence is nothing the acoustic model has heard

_WIDE = {"beam": 1e-100, "pbeam": 1e-100, "wbeam": 1e-80}  # 1e-48, 1e-48 and 7e-29 otherwise
_FULL_SCALE = 32_767
_DICTIONARY_PHONES = frozenset(PHONES) - {SILENCE}


class ForcedAligner:
    """Finds where the phones of known words lie in a sound.

    Raises:
        UserError: PocketSphinx is not installed.
    """

    def __init__(self) -> None:
        self._taught = {_word_of(phone): phone for phone in sorted(_DICTIONARY_PHONES)}
        self._decoders: dict[bool, Decoder] = {}
        self._search(wide=False)

    def pronunciation(self, word: str) -> str | None:
        """The first pronunciation of a lower-case word, phones with blanks between; None for a stranger."""
        return self._search(wide=False).lookup_word(word)

    def add_word(self, word: str, phones: str) -> None:
        """Add a word that the dictionary does not have.

        Raises:
            ValueError: the word is known already, or a phone is not one of the 39.
        """
        if strange := [phone for phone in phones.split() if phone not in _DICTIONARY_PHONES]:
            raise ValueError(f"{word}: {' '.join(strange)} is no phone")
        if not phones.split() or self.pronunciation(word):
            raise ValueError(f"{word}: known already, or given no phones")
        self._taught[word] = phones
        for decoder in self._decoders.values():
            decoder.add_word(word, phones, True)

    def align(
        self, samples: np.ndarray, words: Sequence[str], *, level: float = 1.0, wide: bool = False
    ) -> list[Interval]:
        """The phones of the words in the best of the dictionary's pronunciations, and silences between words.

        Args:
            samples: (T,), float, 16 kHz.
            words: of the dictionary.
            level: of the sound against the hiss; at 1 the RMS is that of `normalise_level`.
            wide: whether to follow unlikely paths too. It is slower and no more exact, and finds what is lost
                otherwise.

        Returns:
            Intervals without gaps on a grid of 10 ms, from before 0 to after T (the padding); none where the
            words were not found in the sound.
        """
        pcm, decoder = _pcm(samples, level), self._search(wide=wide)
        try:
            decoder.set_align_text(" ".join(words))
            _decode(decoder, pcm)
            if decoder.hyp() is None:
                return []
            decoder.set_alignment()  # the first pass found the words, the second finds their phones
            _decode(decoder, pcm)
        except RuntimeError:  # no words, or no path; it may be stuck within the utterance, so another is made
            del self._decoders[wide]
            return []
        found = decoder.get_alignment()
        spans = [(phone.start, phone.duration, phone.name) for word in found or () for phone in word]
        return _intervals(spans)

    def align_phones(
        self, samples: np.ndarray, phones: Sequence[str], *, level: float = 1.0
    ) -> list[Interval]:
        """Like `align`, every phone taken for a word of its own: the last resort, free of context."""
        return self.align(samples, [_word_of(phone) for phone in phones], level=level)

    def _search(self, *, wide: bool) -> "Decoder":
        """A decoder that knows every word that was taught; it takes half a second to start."""
        if wide not in self._decoders:
            # With bestpath, 25 of 60 utterances of the built-in corpus have no path; without it 2.
            self._decoders[wide] = _decoder(lm=None, bestpath=False, **(_WIDE if wide else {}))
            for word, phones in self._taught.items():
                self._decoders[wide].add_word(word, phones, True)
        return self._decoders[wide]


class PhoneRecognizer:
    """Writes down the phones of a sound, knowing no words; a model of phone sequences helps it.

    Raises:
        UserError: PocketSphinx is not installed.
    """

    def __init__(self) -> None:
        self._decoder = _decoder(allphone=_model("en-us/en-us-phone.lm.bin"), lw=2.0)

    def phones(self, samples: np.ndarray) -> list[str]:
        """The phones of (T,), 16 kHz, in order; no silences and noises."""
        _decode(self._decoder, _pcm(samples, 1.0))
        heard = [segment.word for segment in self._decoder.seg() or ()]
        return [phone for phone in heard if phone in _DICTIONARY_PHONES]


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
    decoder.reinit_feat()  # forgets the noise and the channel of the sound before
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()


def _pcm(samples: np.ndarray, level: float) -> bytes:
    """16-bit samples between padding, with hiss that is the same every time."""
    sound = normalize_level(np.asarray(samples, np.float32)) * level
    padded = np.pad(sound, round(PADDING * SAMPLE_RATE)) * _FULL_SCALE
    padded += DITHER * np.random.default_rng(0).standard_normal(len(padded), dtype=np.float32)
    return np.clip(padded, -_FULL_SCALE, _FULL_SCALE).astype(np.int16).tobytes()


def _intervals(spans: Sequence[tuple[int, int, str]]) -> list[Interval]:
    """Of (first frame, frames, name); none where the second pass broke off and left frames out."""
    ends = [start + length for start, length, _ in spans]
    whole = all(length > 0 for _, length, _ in spans)
    if not whole or any(end != start for end, (start, _, _) in zip(ends, spans[1:])):
        return []
    return [
        Interval(
            start * FRAME - PADDING,
            (start + length) * FRAME - PADDING,
            name if name in _DICTIONARY_PHONES else SILENCE,  # noises such as +NSN+ among them
        )
        for start, length, name in spans
    ]


def _word_of(phone: str) -> str:
    """The name under which a phone is a word; no text holds such words."""
    return f"_{phone.lower()}"
