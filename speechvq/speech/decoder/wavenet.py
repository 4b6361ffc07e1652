"""WaveNet in parallel form, for training (van den Oord et al. 2016, arXiv 1609.03499).

It is conditioned locally on the codes and globally on the speaker.
"""

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.glottal_phase import NUM_PHASE_BINS
from speechvq.config import WaveNetConfig
from speechvq.speech.decoder.gated_stack import gated_stack
from speechvq.speech.frame_network import FrameNetwork

PHASE_HARMONICS = 4  # the initial phase embedding consists of the first harmonics of the glottal cycle
FREQUENCY_STD = 4.0  # standard deviation of the frequencies in `smooth_embedding`, radians per half range


class Conditioning(nn.Module):
    """Codes and speaker to a bias of every gate, at the code rate (our choice of network).

    The paper gives the speaker as a one-hot vector; an embedding table computes the same product.
    """

    def __init__(self, config: WaveNetConfig, dim: int, num_speakers: int) -> None:
        """
        Args:
            config: sizes and options.
            dim: D, width of the code vectors.
            num_speakers: S.
        """
        super().__init__()
        self.speaker_embedding = nn.Embedding(num_speakers, config.speaker_dim)
        self.network = FrameNetwork(
            dim,
            config.speaker_dim,
            config.conditioning_channels,
            depth=2,
            condition_on_f0=config.condition_on_f0,
        )
        gates = 2 * config.residual_channels * config.stacks * config.layers
        self.project = nn.Conv1d(config.conditioning_channels, gates, 1)

    def forward(
        self, vectors: Tensor, speaker: Tensor, f0: Tensor | None = None, num_frames: Tensor | None = None
    ) -> Tensor:
        """Biases of the gates of all layers.

        Args:
            vectors, f0, num_frames: see `FrameNetwork.forward`.
            speaker: (B,), int64, indices, or (B, V), embeddings.

        Returns:
            (B, layers x 2 R, N), R the residual channels.
        """
        return self.project(self.network(vectors, self.embed_speaker(speaker), f0, num_frames))

    def embed_speaker(self, speaker: Tensor) -> Tensor:
        """Embeddings (B, V) of speaker indices (B,), int64; embeddings of enrolled voices pass through."""
        return speaker if speaker.is_floating_point() else self.speaker_embedding(speaker)


class GatedLayer(nn.Module):
    """One dilated layer: tanh(filter) x sigmoid(gate) of samples t and t - dilation, then residual and skip.

    This is the reference implementation; training runs `gated_stack`. Filter and
    gate share one matrix, and so do residual and skip. The rows of the filter are doubled: because
    tanh(a) = 2 sigmoid(2a) - 1, one sigmoid then serves both, four times as fast on a CPU as tanh.
    """

    def __init__(self, dilation: int, residual_channels: int, skip_channels: int) -> None:
        super().__init__()
        self.dilation, self.residual_channels = dilation, residual_channels
        r, s = residual_channels, skip_channels
        self.gate = nn.Parameter(torch.randn(2 * r, 2 * r) / math.sqrt(2 * r))
        self.out = nn.Parameter(torch.randn(r + s, r) / math.sqrt(r))
        self.out_bias = nn.Parameter(torch.zeros(r + s, 1))

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Output of the layer.

        Args:
            x: (B, R, T).
            condition: (B, 2 R, N), T a multiple of N.

        Returns:
            (B, R, T), input of the next layer, and (B, U, T), the skip output.
        """
        r = self.residual_channels
        past = F.pad(x, (self.dilation, 0))[..., : x.shape[-1]]
        weight = torch.cat([2 * self.gate[:r], self.gate[r:]]).expand(len(x), -1, -1)
        a = weight[..., :r].bmm(past).baddbmm(weight[..., r:], x)
        a = (a.unflatten(-1, (condition.shape[-1], -1)) + condition.unsqueeze(-1)).flatten(-2)
        filter_sigmoid, gate = torch.sigmoid(a).chunk(2, dim=1)
        out = torch.baddbmm(self.out_bias, self.out.expand(len(x), -1, -1), (2 * filter_sigmoid - 1) * gate)
        return x + out[:, :r], out[:, r:]


class WaveNet(nn.Module):
    """Logits of each sample's mu-law bin given the bins before it, the codes and the speaker."""

    layers: Sequence[GatedLayer]

    def __init__(self, config: WaveNetConfig, dim: int, num_speakers: int) -> None:
        """
        Args:
            config: sizes and options.
            dim: D, width of the code vectors.
            num_speakers: S.
        """
        super().__init__()
        self.config = config
        num_bins, residual, hidden = config.mulaw_bins, config.residual_channels, config.hidden_channels
        self.conditioning = Conditioning(config, dim, num_speakers)
        self.embedding = nn.Parameter(smooth_embedding(num_bins, residual))
        self.phase_embedding = (
            nn.Parameter(cyclic_embedding(NUM_PHASE_BINS, residual)) if config.condition_on_phase else None
        )
        dilations = [2**i for _ in range(config.stacks) for i in range(config.layers)]
        layers = nn.ModuleList(GatedLayer(d, residual, config.skip_channels) for d in dilations)
        self.layers = cast(Sequence[GatedLayer], layers)
        self.hidden = nn.Linear(config.skip_channels, hidden)
        self.logits = nn.Linear(hidden, num_bins)
        nn.init.zeros_(self.logits.bias)
        self.logits.weight.data = smooth_embedding(num_bins, hidden) / math.sqrt(hidden)

    @property
    def receptive_field(self) -> int:
        """Number of past samples that a prediction depends on: 1 + the sum of the dilations."""
        return 1 + sum(layer.dilation for layer in self.layers)

    def forward(
        self,
        bins: Tensor,
        vectors: Tensor,
        speaker: Tensor,
        f0: Tensor | None = None,
        phase: Tensor | None = None,
    ) -> Tensor:
        """Predict each sample from the samples before it.

        Args:
            bins: (B, T), int64 in [0, Q).
            vectors: (B, N, D), quantized; T = N x hop.
            speaker: (B,), int64, indices, or (B, V), embeddings.
            f0: (B, N), Hz, 0 where unvoiced; for a decoder that is conditioned on F0.
            phase: (B, T), phase bins (see `audio.glottal_phase`) of the predicted samples; for a decoder that
                is conditioned on the phase.

        Returns:
            (B, T, Q), logits; those of sample t depend on the bins before t only.
        """
        past = F.pad(bins, (1, -1), value=self.config.mulaw_bins // 2)
        x = F.embedding(past, self.embedding)
        if self.phase_embedding is not None:
            assert phase is not None, "this decoder needs the phase"
            x = x + F.embedding(phase.long(), self.phase_embedding)
        total = self._skips(x, self.conditioning(vectors, speaker, f0))
        # Transposing (U, B T) inside the product is free and leaves the bins contiguous. The weights are
        # scaled rather than the activations, because they are fewer.
        rows, scaled = F.relu(total).flatten(1).t(), self.hidden.weight / math.sqrt(len(self.layers))
        hidden = F.relu(F.linear(rows, scaled, self.hidden.bias)).view(*bins.shape, -1)
        return self.logits(hidden)

    def _skips(self, x: Tensor, condition: Tensor) -> Tensor:
        """Sum of the skip outputs of all layers: (B, T, R) to (U, B, T), in the type of autocast."""
        dilations = [layer.dilation for layer in self.layers]
        gates = torch.stack([layer.gate for layer in self.layers])
        outs = torch.stack([layer.out for layer in self.layers])
        biases = torch.stack([layer.out_bias for layer in self.layers])
        device = x.device.type
        precision = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        condition, gates, outs, biases = (each.to(precision) for each in (condition, gates, outs, biases))
        with torch.autocast(device, enabled=False):
            return gated_stack(x.transpose(1, 2), condition, gates, outs, biases, dilations)


def smooth_embedding(count: int, width: int) -> Tensor:
    """Initial embedding of ordered bins: random smooth functions with unit variance (our choice).

    Neighboring bins start with similar vectors, so the network does not have to learn their order.

    Returns:
        (count, width).
    """
    position = torch.linspace(-1, 1, count)[:, None]
    frequency, phase = FREQUENCY_STD * torch.randn(width), 2 * math.pi * torch.rand(width)
    return math.sqrt(2) * torch.cos(frequency * position + phase)


def cyclic_embedding(num_bins: int, width: int) -> Tensor:
    """Initial embedding of the phase bins of a cycle: its first harmonics with random phases.

    From the phase, the network knows when the next glottal pulse comes.

    Returns:
        (1 + num_bins, width); the first row, for unvoiced samples, is zero.
    """
    position = torch.arange(num_bins)[:, None] / num_bins
    harmonic, phase = torch.randint(1, PHASE_HARMONICS + 1, (width,)), torch.rand(width)
    table = math.sqrt(2) * torch.cos(2 * math.pi * (harmonic * position + phase))
    return torch.cat([torch.zeros(1, width), table])
