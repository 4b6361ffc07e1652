"""Speech quality by DistillMOS; the optional extra "distillmos", its network inside.

Stahl and Gamper (2025), "Distillation and pruning for scalable self-supervised representation-based speech
quality assessment". It falls more steeply than DNSMOS for buzzing and hoarse synthetic speech.
"""

import contextlib
import io
import warnings

import numpy as np

from speechvq.audio.waveform import normalize_level
from speechvq.errors import UserError

REMEDY = "pip install 'speechvq[distillmos]'"
MIN_SAMPLES = 400  # the network's window; shorter recordings have no score


class DistillMosModel:
    """Predicts mean opinion scores from 1 (bad) to 5 (excellent).

    Raises:
        UserError: distillmos or one of its dependencies is not installed.
    """

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from distillmos import ConvTransformerSQAModel
        except ImportError as error:
            raise UserError(f"DistillMOS needs distillmos ({error}): {REMEDY}") from error
        with contextlib.redirect_stdout(io.StringIO()):  # it prints where its weights are
            self._model = ConvTransformerSQAModel().eval()

    def overall_score(self, wave: np.ndarray) -> float:
        """Quality of a recording (T,), 16 kHz, after level normalization; NaN if it is shorter than 25 ms."""
        import torch

        if len(wave) < MIN_SAMPLES:
            return float("nan")
        samples = normalize_level(np.asarray(wave, np.float32))
        with torch.inference_mode():
            return float(self._model(torch.from_numpy(samples)[None])[0])
