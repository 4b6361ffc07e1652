"""Sampling without a cache: the whole receptive field is evaluated for every sample."""

import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.categorical import sample_categorical
from speechvq.speech.decoder.wavenet import WaveNet


@torch.no_grad()
def sample_uncached(
    wavenet: WaveNet, vectors: Tensor, speaker: Tensor, uniforms: Tensor, before: Tensor, hop: int
) -> Tensor:
    """Continue a sequence of samples.

    Args:
        wavenet: without F0 and phase conditioning.
        vectors: (B, N, D), quantized, from the beginning.
        speaker: (B,), int64.
        uniforms: (B, n), one for each new sample.
        before: (B, T), int64, the previous samples; T + n at most N x hop.
        hop: samples per code frame.

    Returns:
        (B, T + n), int64, equal to `sampler.sample`.
    """
    bins = before
    for column in uniforms.t():
        logits = _next_logits(wavenet, bins, vectors, speaker, hop)
        bins = torch.cat([bins, sample_categorical(logits, column).unsqueeze(1)], dim=1)
    return bins


def _next_logits(wavenet: WaveNet, bins: Tensor, vectors: Tensor, speaker: Tensor, hop: int) -> Tensor:
    """Logits of the sample after `bins`, (B, Q), from the code frames of its receptive field.

    The conditioning network needs two more frames on both sides: 12 % more samples at S and 64x.
    """
    t = bins.shape[1]
    first, last = max((t - wavenet.receptive_field) // hop - 2, 0), min(t // hop + 3, vectors.shape[1])
    seen = F.pad(bins[:, first * hop :], (0, last * hop - t), value=wavenet.config.mulaw_bins // 2)
    return wavenet(seen, vectors[:, first:last], speaker)[:, t - first * hop]
