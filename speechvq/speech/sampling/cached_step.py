"""One WaveNet step with cached activations: the plain torch form that the faster engines reproduce.

A layer of dilation d needs its own input of d samples ago and nothing else. It keeps its last d inputs in a
ring buffer, so that a sample costs one product per layer instead of a pass over the receptive field (Paine et
al. 2016).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.speech.decoder.wavenet import WaveNet


class CachedStep:
    """One sample of all streams per call; equals the parallel forward pass up to rounding."""

    def __init__(self, wavenet: WaveNet, streams: int) -> None:
        """
        Args:
            wavenet: the decoder.
            streams: number of waveforms that are sampled side by side.
        """
        residual = wavenet.config.residual_channels
        self.wavenet, self.residual = wavenet, residual
        doubled = torch.cat([torch.full((residual, 1), 2.0), torch.ones(residual, 1)])
        device = wavenet.embedding.device
        self.gates = [(doubled.to(device) * layer.gate).t().contiguous() for layer in wavenet.layers]
        self.outs = [(layer.out.t().contiguous(), layer.out_bias[:, 0]) for layer in wavenet.layers]
        self.caches = [
            torch.zeros(layer.dilation, streams, residual, device=device) for layer in wavenet.layers
        ]
        self.time = 0

    def __call__(self, previous: Tensor, condition: Tensor, phase: Tensor | None = None) -> Tensor:
        """Logits of the next sample.

        Args:
            previous: (B,), int64, the bin sampled last.
            condition: (layers, B, 2 R), biases of the gates in this code frame.
            phase: (B,), uint8, bin of `audio.glottal_phase`; for a decoder conditioned on the phase.

        Returns:
            (B, mulaw_bins).
        """
        x, skips = self.wavenet.embedding[previous], []
        if self.wavenet.phase_embedding is not None:
            assert phase is not None, "this decoder needs the phase"
            x = x + F.embedding(phase.long(), self.wavenet.phase_embedding)
        for cache, weight, (out, bias), local in zip(self.caches, self.gates, self.outs, condition):
            a = torch.addmm(local, torch.cat([self.read_cache(cache), x], dim=1), weight)
            self.write_cache(cache, x)
            filter_sigmoid, gate = torch.sigmoid(a).chunk(2, dim=1)
            both = torch.addmm(bias, (2 * filter_sigmoid - 1) * gate, out)
            x = x + both[:, : self.residual]
            skips.append(both[:, self.residual :])
        self.time += 1
        total = torch.stack(skips).sum(0) / math.sqrt(len(skips))
        hidden = F.relu(self.wavenet.hidden(F.relu(total)))
        return self.wavenet.logits(hidden)

    def read_cache(self, cache: Tensor) -> Tensor:
        """A layer's input of `dilation` samples ago: (dilation, B, R) to (B, R)."""
        return cache[self.time % len(cache)]

    def write_cache(self, cache: Tensor, x: Tensor) -> None:
        """Replace a layer's oldest input by its newest, (B, R)."""
        cache[self.time % len(cache)] = x
