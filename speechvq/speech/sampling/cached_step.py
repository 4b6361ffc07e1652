"""The WaveNet a sample at a time, with cached queues: the plain torch form, which every faster one must equal.

A layer of dilation d needs its own input of d samples ago and nothing else, so it keeps the last d inputs in
a ring; a sample then costs one product a layer instead of a pass over the receptive field (Paine et al.
2016).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.speech.decoder.wavenet import WaveNet


class CachedStep:
    """One sample of all streams at a time; equals the parallel forward to rounding."""

    def __init__(self, wavenet: WaveNet, streams: int) -> None:
        """Gather the weights as products of rows; `streams` sounds are sampled side by side."""
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

    def __call__(self, before: Tensor, condition: Tensor, phase: Tensor | None = None) -> Tensor:
        """Logits of the next sample.

        Args:
            before: (B,), int64, the level sampled last.
            condition: (layers, B, 2 residual), the gates' biases in this code frame.
            phase: (B,), uint8, class of `audio.phase`; for a decoder that is told the phase.

        Returns:
            (B, levels).
        """
        x, skips = self.wavenet.embedding[before], []
        if self.wavenet.phase_embedding is not None:
            assert phase is not None, "this decoder needs the phase"
            x = x + F.embedding(phase.long(), self.wavenet.phase_embedding)
        for ring, gate, (out, bias), local in zip(self.caches, self.gates, self.outs, condition):
            a = torch.addmm(local, torch.cat([self.read_cache(ring), x], dim=1), gate)
            self.write_cache(ring, x)
            soft, sigmoid = torch.sigmoid(a).chunk(2, dim=1)
            both = torch.addmm(bias, (2 * soft - 1) * sigmoid, out)
            x = x + both[:, : self.residual]
            skips.append(both[:, self.residual :])
        self.time += 1
        total = torch.stack(skips).sum(0) / math.sqrt(len(skips))
        hidden = F.relu(self.wavenet.hidden(F.relu(total)))
        return self.wavenet.logits(hidden)

    def read_cache(self, ring: Tensor) -> Tensor:
        """A layer's input of `dilation` samples ago: (dilation, B, R) to (B, R)."""
        return ring[self.time % len(ring)]

    def write_cache(self, ring: Tensor, x: Tensor) -> None:
        """Keep a layer's newest input (B, R) in the place of its oldest."""
        ring[self.time % len(ring)] = x
