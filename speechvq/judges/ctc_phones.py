"""Phone recognition by the CTC network of hama, the optional extra "phones", its network inside.

The network writes IPA for English and Korean. Its English phones are mapped to the 39 of CMUdict, so that
phone error rates do not count two spellings of one phone.
"""

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.errors import UserError

REMEDY = "pip install 'speechvq[phones]'"
MIN_SAMPLES = 800  # shorter recordings have no phones

IPA = {
    "AA": "ɑ ɒ a",
    "AE": "æ",
    "AH": "ə ʌ ɐ",
    "AO": "ɔ o",
    "AW": "aʊ",
    "AY": "aɪ",
    "EH": "ɛ eə",
    "ER": "ɝ ɚ ɜ",
    "EY": "eɪ e",
    "IH": "ɪ ɨ",
    "IY": "i ɪə",
    "OW": "oʊ",
    "OY": "ɔɪ",
    "UH": "ʊ",
    "UW": "u ʉ",
    "B": "b",
    "CH": "t͡ʃ",
    "D": "d ɾ",
    "G": "g ɡ",
    "JH": "d͡ʒ",
    "K": "k",
    "P": "p",
    "T": "t ʔ",
    "DH": "ð",
    "F": "f",
    "HH": "h",
    "L": "l ɫ",
    "M": "m",
    "N": "n",
    "NG": "ŋ",
    "R": "ɹ r",
    "S": "s",
    "SH": "ʃ",
    "TH": "θ",
    "V": "v",
    "W": "w",
    "Y": "j",
    "Z": "z",
    "ZH": "ʒ",
}
_PHONE = {symbol: phone for phone, symbols in IPA.items() for symbol in symbols.split()}


class CtcPhoneRecognizer:
    """Recognizes phones by greedy CTC decoding, without a language model.

    Raises:
        UserError: hama is not installed.
    """

    def __init__(self) -> None:
        try:
            from hama import ASRModel
        except ImportError as error:
            raise UserError(f"the phone error rate needs hama ({error}): {REMEDY}") from error
        self._model = ASRModel()

    def phones(self, samples: np.ndarray) -> list[str]:
        """Phones of a waveform (T,), 16 kHz, in order; symbols of other languages stay as they are."""
        if len(samples) < MIN_SAMPLES:
            return []
        found = self._model(np.asarray(samples, np.float32), SAMPLE_RATE).phonemes
        return [_PHONE.get(symbol, symbol) for symbol in found]
