"""The untrained baseline: an encoder with random weights, which shows what the architecture alone gives."""

import dataclasses
import math

import numpy as np
import torch

from speechvq.audio.mulaw import MuLawCodec
from speechvq.audio.waveform import SAMPLE_RATE, normalize_level
from speechvq.config import SpeechConfig
from speechvq.metrics.units.kmeans import Features
from speechvq.speech.encoder.encoder import Encoder

CPU = torch.device("cpu")
_SEGMENT = 5 * SAMPLE_RATE  # samples encoded at once; longer segments exceed the CPU caches and are slower


def untrained_features(config: SpeechConfig, seed: int, device: torch.device = CPU) -> Features:
    """A function from a waveform (T,) to the outputs (N, D) of a random encoder, N = ceil(T / hop).

    k-means on these outputs gives units that differ from a trained model's only in the encoder's weights.
    The normalization before the quantizer is left out, because k-means takes any scale. Long recordings are
    encoded in segments that overlap by the encoder's receptive field.

    Args:
        config: of the trained model that is compared.
        seed: of the weights, which do not depend on the device.
        device: where the encoder computes.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codec = MuLawCodec(config.preemphasis, config.wavenet.mulaw_bins)
        encoder = Encoder(config.encoder, config.quantizer.dim, codec).eval().to(device)

    @torch.no_grad()
    def features(wave: np.ndarray) -> np.ndarray:
        hop, size, margin = config.hop, max(_SEGMENT // config.hop, 1), encoder.context_frames
        level = normalize_level(np.asarray(wave, np.float32))
        padded = torch.from_numpy(np.pad(level, (0, -len(wave) % hop))).to(device)
        frames = [torch.empty(0, config.quantizer.dim)]
        for start in range(0, len(padded) // hop, size):
            first = max(start - margin, 0)
            segment = padded[first * hop : (start + size + margin) * hop]
            frames.append(encoder(segment[None])[0, start - first :][:size].cpu())
        return torch.cat(frames).numpy()

    return features


def same_rate_config(num_codes: int, frame_rate_hz: float) -> SpeechConfig:
    """The paper's encoder at another code rate: one layer per prime factor of the hop length.

    250 Hz gives the paper's six layers of stride 2; 25 Hz gives seven layers of stride 2 and one of stride 5.

    Raises:
        ValueError: the hop length is not whole, or is no product of strides up to 61.
    """
    hop = round(SAMPLE_RATE / frame_rate_hz)
    if not math.isclose(hop * frame_rate_hz, SAMPLE_RATE):
        raise ValueError(
            f"16000 samples per second give no whole number of samples per code at {frame_rate_hz:g} Hz"
        )
    plain = SpeechConfig()
    encoder = dataclasses.replace(plain.encoder, strides=_factors(hop))
    return dataclasses.replace(
        plain, encoder=encoder, quantizer=dataclasses.replace(plain.quantizer, num_codes=num_codes)
    )


def _factors(number: int) -> tuple[int, ...]:
    """Prime factors in ascending order; 1 for 1."""
    found, factor = [], 2
    while number > 1:
        if number % factor:
            factor += 1
        else:
            found.append(factor)
            number //= factor
    return tuple(found) or (1,)
