"""WaveNet as most repositories implement it: the reference of the training benchmark."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.speech.decoder.wavenet import GatedLayer, WaveNet


class TypicalLayer(nn.Module):
    """Separate convolutions for filter, gate, their conditioning at the sample rate, residual and skip."""

    def __init__(self, dilation: int, residual: int, skip: int, condition: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.filter = nn.Conv1d(residual, residual, 2, dilation=dilation, bias=False)
        self.gate = nn.Conv1d(residual, residual, 2, dilation=dilation, bias=False)
        self.filter_condition = nn.Conv1d(condition, residual, 1)
        self.gate_condition = nn.Conv1d(condition, residual, 1)
        self.residual = nn.Conv1d(residual, residual, 1)
        self.skip = nn.Conv1d(residual, skip, 1)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """(B, residual, T) and the condition (B, C, T) to (B, residual, T) and (B, skip, T)."""
        padded = F.pad(x, (self.dilation, 0))
        filtered = torch.tanh(self.filter(padded) + self.filter_condition(condition))
        z = filtered * torch.sigmoid(self.gate(padded) + self.gate_condition(condition))
        return x + self.residual(z), self.skip(z)


class TypicalWaveNet(nn.Module):
    """The decoder on one-hot samples, conditioned at the sample rate; computes the same function as
    `WaveNet`.
    """

    def __init__(self, wavenet: WaveNet) -> None:
        """Take the sizes, weights and conditioning network of a WaveNet."""
        super().__init__()
        config = wavenet.config
        self.num_bins, self.conditioning = config.mulaw_bins, wavenet.conditioning
        self.first = nn.Conv1d(config.mulaw_bins, config.residual_channels, 1, bias=False)
        self.layers = nn.ModuleList(
            TypicalLayer(
                layer.dilation, config.residual_channels, config.skip_channels, config.conditioning_channels
            )
            for layer in wavenet.layers
        )
        self.hidden = nn.Conv1d(config.skip_channels, config.hidden_channels, 1)
        self.logits = nn.Conv1d(config.hidden_channels, config.mulaw_bins, 1)
        self._copy(wavenet)

    def forward(self, bins: Tensor, vectors: Tensor, speaker: Tensor) -> Tensor:
        """Logits (B, Q, T) from mu-law bins (B, T), vectors (B, N, D) and speaker (B,)."""
        before = F.pad(bins, (1, -1), value=self.num_bins // 2)
        x = self.first(F.one_hot(before, self.num_bins).transpose(1, 2).float())
        condition = self.conditioning.network(vectors, self.conditioning.speaker_embedding(speaker))
        condition = F.interpolate(condition, size=bins.shape[1], mode="nearest")
        total: Tensor | float = 0.0
        for layer in self.layers:
            x, skip = layer(x, condition)
            total = total + skip
        hidden = F.relu(self.hidden(F.relu(total * math.sqrt(1 / len(self.layers)))))
        return self.logits(hidden)

    @torch.no_grad()
    def _copy(self, wavenet: WaveNet) -> None:
        self.first.weight.copy_(wavenet.embedding.t().unsqueeze(-1))
        project = wavenet.conditioning.project
        weights, biases = project.weight.chunk(len(self.layers)), project.bias.chunk(len(self.layers))
        for target, layer, weight, bias in zip(self.layers, wavenet.layers, weights, biases):
            _copy_layer(target, layer, weight, bias)
        for target, linear in ((self.hidden, wavenet.hidden), (self.logits, wavenet.logits)):
            target.weight.copy_(linear.weight.unsqueeze(-1))
            target.bias.copy_(linear.bias)


def _copy_layer(target: TypicalLayer, layer: GatedLayer, condition: Tensor, bias: Tensor) -> None:
    """Copy the rows of the fused matrices to the separate convolutions; the fused filter bias is doubled."""
    width = layer.residual_channels
    taps = layer.gate.unflatten(1, (2, width)).transpose(1, 2)
    target.filter.weight.copy_(taps[:width])
    target.gate.weight.copy_(taps[width:])
    target.filter_condition.weight.copy_(condition[:width] / 2)
    target.filter_condition.bias.copy_(bias[:width] / 2)
    target.gate_condition.weight.copy_(condition[width:])
    target.gate_condition.bias.copy_(bias[width:])
    target.residual.weight.copy_(layer.out[:width].unsqueeze(-1))
    target.residual.bias.copy_(layer.out_bias[:width, 0])
    target.skip.weight.copy_(layer.out[width:].unsqueeze(-1))
    target.skip.bias.copy_(layer.out_bias[width:, 0])
