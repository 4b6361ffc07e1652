"""Speaker embeddings of Resemblyzer, the optional extra "speakers".

The network is that of Wan et al. (2018), "Generalized end-to-end loss for speaker verification"; its
weights are part of the package.
"""

import warnings
from collections.abc import Iterable

import numpy as np

from speechvq.audio.waveform import normalize_level
from speechvq.errors import UserError

REMEDY = "pip install 'speechvq[speakers]'"


class SpeakerEncoder:
    """Maps recordings to unit vectors, which are similar for recordings of one speaker.

    Raises:
        UserError: Resemblyzer is not installed or cannot be loaded.
    """

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of setuptools and scipy, about deprecated imports
                from resemblyzer import VoiceEncoder
        except ImportError as error:
            raise UserError(f"the speaker embedding needs Resemblyzer ({error}): {REMEDY}") from error
        self._encoder = VoiceEncoder("cpu", verbose=False)

    def embed(self, wave: np.ndarray) -> np.ndarray:
        """Embedding of a recording: (T,), 16 kHz, to (256,) of unit length."""
        samples = normalize_level(np.asarray(wave, np.float32))
        return _unit(np.asarray(self._encoder.embed_utterance(samples)))

    def embed_speaker(self, waves: Iterable[np.ndarray]) -> np.ndarray:
        """Normalized mean embedding of a speaker's recordings, (T,) each: (256,) of unit length."""
        return _unit(np.sum([self.embed(wave) for wave in waves], axis=0))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
