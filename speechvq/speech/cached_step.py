"""The WaveNet a sample at a time, with cached queues: the plain torch form, which every faster one must equal.

A layer of dilation d needs its own input of d samples ago and nothing else, so it keeps the last d inputs in
a ring; a sample then costs one product a layer instead of a pass over the receptive field (Paine et al.
2016).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.speech.predictor import PAST, Guess
from speechvq.speech.wavenet import WaveNet


class CachedStep:
    """One sample of all streams at a time; equals the parallel forward to rounding."""

    def __init__(self, wavenet: WaveNet, streams: int) -> None:
        """Gather the weights as products of rows; `streams` sounds are sampled side by side."""
        residual = wavenet.config.residual
        self.wavenet, self.residual = wavenet, residual
        doubled = torch.cat([torch.full((residual, 1), 2.0), torch.ones(residual, 1)])
        device = wavenet.embedding.device
        self.gates = [(doubled.to(device) * layer.gate).t().contiguous() for layer in wavenet.layers]
        self.outs = [(layer.out.t().contiguous(), layer.out_bias[:, 0]) for layer in wavenet.layers]
        self.rings = [
            torch.zeros(layer.dilation, streams, residual, device=device) for layer in wavenet.layers
        ]
        self.past = torch.zeros(streams, PAST, device=device)
        self.time = 0

    def __call__(
        self, before: Tensor, condition: Tensor, weights: Tensor | None = None, lag: Tensor | None = None
    ) -> Tensor:
        """Logits of the next sample.

        Args:
            before: (B,), int64, the level sampled last.
            condition: (layers, B, 2 residual), the gates' biases in this code frame.
            weights: (B, taps + 1), the linear predictor's in this code frame; None without one.
            lag: (B,), int64, pitch period in samples; for long taps.

        Returns:
            (B, levels).
        """
        x, skips = self.wavenet.embedding[before], []
        for ring, gate, (out, bias), local in zip(self.rings, self.gates, self.outs, condition):
            a = torch.addmm(local, torch.cat([self.recall(ring), x], dim=1), gate)
            self.remember(ring, x)
            soft, sigmoid = torch.sigmoid(a).chunk(2, dim=1)
            both = torch.addmm(bias, (2 * soft - 1) * sigmoid, out)
            x = x + both[:, : self.residual]
            skips.append(both[:, self.residual :])
        self.time += 1
        total = torch.stack(skips).sum(0) / math.sqrt(len(skips))
        hidden = F.relu(self.wavenet.hidden(F.relu(total)))
        if weights is None:
            return self.wavenet.logits(hidden)
        return self.wavenet.logits(hidden) + self._predict(before, weights, lag, hidden)

    def recall(self, ring: Tensor) -> Tensor:
        """A layer's input of `dilation` samples ago: (dilation, B, R) to (B, R)."""
        return ring[self.time % len(ring)]

    def remember(self, ring: Tensor, x: Tensor) -> None:
        """Keep a layer's newest input (B, R) in the place of its oldest."""
        ring[self.time % len(ring)] = x

    def _predict(self, before: Tensor, weights: Tensor, lag: Tensor | None, hidden: Tensor) -> Tensor:
        """The linear predictor's share of the logits, (B, levels); it keeps the last samples."""
        predictor = self.wavenet.predictor
        self.past.copy_(torch.cat([self.past[:, 1:], predictor.centres[before, None]], dim=1))
        window = self.past[:, PAST - predictor.short :]
        if lag is not None:
            reach = torch.arange(predictor.long, device=lag.device) - predictor.long // 2
            window = torch.cat([window, self.past.gather(1, PAST - lag[:, None] + reach)], dim=1)
        guess = Guess((window * weights[:, :-1]).sum(1, keepdim=True), weights[:, -1:])
        return predictor.logits(guess, hidden.unsqueeze(1))[:, 0]
