"""The model before it has learnt: what its encoder tells by its construction alone."""

import dataclasses
import math

import numpy as np
import torch

from speechvq.audio.mulaw import MuLawCodec
from speechvq.audio.waveform import SAMPLE_RATE, normalize_level
from speechvq.config import SpeechConfig
from speechvq.metrics.units.kmeans import Features
from speechvq.speech.encoder.encoder import Encoder

_PIECE = 5 * SAMPLE_RATE  # samples encoded at once; longer ones leave the cache and the heap, and are slower


def untrained_features(config: SpeechConfig, seed: int) -> Features:
    """The outputs of an encoder with random weights: sound (T,) to frames (N, D), N = ceil(T / hop).

    A codebook of K centroids fitted to them makes the comparison with a trained model a fair one: only the
    encoder has not learnt. The normalisation before the quantiser has seen no batch yet and is the identity;
    k-means takes any scale. Long sound is encoded in pieces that overlap by what the encoder sees.

    Args:
        config: of the trained model it stands beside.
        seed: of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        companding = MuLawCodec(config.preemphasis, config.wavenet.mulaw_bins)
        encoder = Encoder(config.encoder, config.quantizer.dim, companding).eval()

    @torch.no_grad()
    def features(wave: np.ndarray) -> np.ndarray:
        hop, piece, margin = config.hop, max(_PIECE // config.hop, 1), encoder.context_frames
        padded = torch.from_numpy(
            np.pad(normalize_level(np.asarray(wave, np.float32)), (0, -len(wave) % hop))
        )
        frames = [torch.empty(0, config.quantizer.dim)]
        for start in range(0, len(padded) // hop, piece):
            first = max(start - margin, 0)
            part = padded[first * hop : (start + piece + margin) * hop]
            frames.append(encoder(part[None])[0, start - first :][:piece])
        return torch.cat(frames).numpy()

    return features


def same_rate_config(num_codes: int, frame_rate_hz: float) -> SpeechConfig:
    """The paper's encoder at another rate: a layer for each prime factor of the samples a code.

    250 Hz gives the paper's six layers of stride 2, and 25 Hz seven of them, then one of stride 5.

    Raises:
        ValueError: the samples a code are not whole, or no product of strides up to 61.
    """
    hop = round(SAMPLE_RATE / frame_rate_hz)
    if not math.isclose(hop * frame_rate_hz, SAMPLE_RATE):
        raise ValueError(
            f"16000 samples a second are no whole number of samples a code at {frame_rate_hz:g} Hz"
        )
    plain = SpeechConfig()
    encoder = dataclasses.replace(plain.encoder, strides=_factors(hop))
    return dataclasses.replace(
        plain, encoder=encoder, quantizer=dataclasses.replace(plain.quantizer, num_codes=num_codes)
    )


def _factors(number: int) -> tuple[int, ...]:
    """Prime factors in rising order."""
    found, factor = [], 2
    while number > 1:
        if number % factor:
            factor += 1
        else:
            found.append(factor)
            number //= factor
    return tuple(found) or (1,)
