"""What words are heard: torchaudio's wav2vec 2.0 (Baevski et al. 2020), trained on 960 hours of LibriSpeech.

Its weights, 360 MB, are downloaded when first used and kept by torch.
"""

from typing import Any

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.errors import UserError

_BLANK, _SPACE = "-", "|"


class SpeechRecognizer:
    """Writes down the words of a sound, likeliest letter by likeliest letter (greedy CTC), no language model.

    Raises:
        UserError: the weights are not there and cannot be downloaded.
    """

    def __init__(self, bundle: Any = None) -> None:
        """
        Args:
            bundle: one of torchaudio.pipelines' for recognition by CTC; None takes WAV2VEC2_ASR_BASE_960H.
        """
        if bundle is None:
            from torchaudio.pipelines import WAV2VEC2_ASR_BASE_960H as bundle
        if bundle.sample_rate != SAMPLE_RATE:
            raise ValueError(f"the recogniser hears {bundle.sample_rate} Hz, not {SAMPLE_RATE}")
        try:
            self._model = bundle.get_model().eval()
        except OSError as error:  # URLError is one
            raise UserError(
                f"torchaudio's recogniser cannot be downloaded ({error}); --wer needs the network once"
            ) from error
        self._letters = bundle.get_labels()

    def transcribe(self, wave: np.ndarray) -> str:
        """The words of (T,), 16 kHz, in lower case."""
        import torch

        padded = np.pad(np.asarray(wave, np.float32), (0, max(0, 400 - len(wave))))  # a window at least
        with torch.inference_mode():
            scores, _ = self._model(torch.from_numpy(padded)[None])
        best = torch.unique_consecutive(scores[0].argmax(dim=-1)).tolist()
        letters = "".join(self._letters[i] for i in best)
        return " ".join(letters.replace(_BLANK, "").replace(_SPACE, " ").split()).lower()
