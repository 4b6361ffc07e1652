"""Speech recognition by wav2vec 2.0 (Baevski et al. 2020), trained on 960 hours of LibriSpeech.

The weights, 360 MB, come with torchaudio's pipeline: they are downloaded on first use and cached by torch.
"""

from typing import Any

import numpy as np

from speechvq.alignment.text_normalization import normalize_text
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.errors import UserError

_BLANK, _SPACE = "-", "|"
_MIN_SAMPLES = 400  # receptive field of the network's first layers


class SpeechRecognizer:
    """Transcribes recordings by greedy CTC decoding, without a language model.

    Attributes:
        description: of the network and the normalizer, for results.

    Raises:
        UserError: the weights are not cached and cannot be downloaded.
    """

    def __init__(self, bundle: Any = None) -> None:
        """
        Args:
            bundle: a CTC bundle of torchaudio.pipelines; None for WAV2VEC2_ASR_BASE_960H.
        """
        if bundle is None:
            from torchaudio.pipelines import WAV2VEC2_ASR_BASE_960H

            bundle = WAV2VEC2_ASR_BASE_960H
        if bundle.sample_rate != SAMPLE_RATE:
            raise ValueError(
                f"the recognizer expects {bundle.sample_rate} Hz; give a bundle for {SAMPLE_RATE} Hz"
            )
        try:
            self._model = bundle.get_model().eval()
        except OSError as error:  # URLError is a subclass
            raise UserError(
                f"the weights of wav2vec 2.0 (360 MB) cannot be downloaded ({error}); connect to the network "
                "once, or name another recognizer by --whisper"
            ) from error
        self._letters = bundle.get_labels()
        self.description = "wav2vec 2.0 base, 960 h, greedy CTC; texts by speechvq's normalizer"

    def transcribe(self, wave: np.ndarray) -> str:
        """Words of a recording (T,), 16 kHz, in lower case."""
        import torch

        padded = np.pad(np.asarray(wave, np.float32), (0, max(0, _MIN_SAMPLES - len(wave))))
        with torch.inference_mode():
            logits, _ = self._model(torch.from_numpy(padded)[None])
        best = torch.unique_consecutive(logits[0].argmax(dim=-1)).tolist()
        letters = "".join(self._letters[i] for i in best)
        return " ".join(letters.replace(_BLANK, "").replace(_SPACE, " ").split()).lower()

    def words(self, text: str) -> list[str]:
        """The words of a text that are compared.

        Raises:
            UserError: the text has a letter of another script.
        """
        return normalize_text(text)
