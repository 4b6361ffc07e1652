"""Whose voice is it, by a network that heard thousands: Resemblyzer (the optional extra "speakers").

Wan et al. (2018), "Generalized end-to-end loss for speaker verification"; the network is in the package.
"""

import warnings
from collections.abc import Iterable

import numpy as np

from speechvq.audio.waveform import normalize_level
from speechvq.errors import UserError

REMEDY = "pip install 'speechvq[speakers]'"


class SpeakerEncoder:
    """Sounds to points on a sphere, near to one another where the voice is the same.

    Raises:
        UserError: Resemblyzer is not installed or cannot be loaded.
    """

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of setuptools and scipy, about names it imports
                from resemblyzer import VoiceEncoder
        except ImportError as error:
            raise UserError(f"a speaker embedding needs Resemblyzer ({error}): {REMEDY}") from error
        self._encoder = VoiceEncoder("cpu", verbose=False)

    def embed(self, wave: np.ndarray) -> np.ndarray:
        """A sound (T,), 16 kHz, to a point (256,) of length 1."""
        point = np.asarray(self._encoder.embed_utterance(normalize_level(np.asarray(wave, np.float32))))
        return point / max(float(np.linalg.norm(point)), 1e-12)

    def voice(self, waves: Iterable[np.ndarray]) -> np.ndarray:
        """The middle of a speaker's sounds, (T,) each: (256,) of length 1."""
        middle = np.sum([self.embed(wave) for wave in waves], axis=0)
        return middle / max(float(np.linalg.norm(middle)), 1e-12)
