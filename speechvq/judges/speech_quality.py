"""How good does it sound? DNSMOS, a network trained on listeners' opinions (the optional extra "quality").

Reddy et al. (2022), "DNSMOS P.835: a non-intrusive perceptual objective speech quality metric"; the networks
are in the package speechmos.
"""

import warnings

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE, normalize_level
from speechvq.errors import UserError

REMEDY = "pip install 'speechvq[quality]'"


class DnsmosModel:
    """Opinions from 1 (bad) to 5 (excellent).

    Raises:
        UserError: speechmos or what it needs is not installed.
    """

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from speechmos import dnsmos
        except ImportError as error:
            raise UserError(f"DNSMOS needs speechmos ({error}): {REMEDY}") from error
        self._run = dnsmos.run

    def overall_score(self, wave: np.ndarray) -> float:
        """Overall quality of a sound (T,), 16 kHz, at the package's level; NaN for one without samples."""
        if not len(wave):
            return float("nan")
        sound = np.clip(normalize_level(np.asarray(wave, np.float32)), -1.0, 1.0)
        return float(self._run(sound, SAMPLE_RATE)["ovrl_mos"])
