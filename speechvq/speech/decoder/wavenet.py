"""The decoder in parallel form, for training: a WaveNet over samples, told the codes and the speaker.

van den Oord et al. 2016 (arXiv 1609.03499), conditioned locally on the codes and globally on the speaker.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.glottal_phase import NUM_PHASE_BINS
from speechvq.config import WaveNetConfig
from speechvq.speech.decoder.gated_stack import gated_stack
from speechvq.speech.decoder.linear_stack import linear_stack
from speechvq.speech.source_filter.frame_network import FrameNetwork


class Conditioning(nn.Module):
    """Codes and speaker to the bias of every gate, at the code rate (our choice of network).

    The paper gives the speaker as a one-hot vector; a row of a table is the same product.
    """

    def __init__(self, config: WaveNetConfig, dim: int, speakers: int) -> None:
        super().__init__()
        self.speaker_embedding = nn.Embedding(speakers, config.speaker_dim)
        self.network = FrameNetwork(
            dim, config.speaker_dim, config.conditioning_channels, depth=2, pitch=config.condition_on_f0
        )
        gates = 2 * config.residual_channels * config.stacks * config.layers
        self.project = nn.Conv1d(config.conditioning_channels, gates, 1)

    def forward(
        self, vectors: Tensor, speaker: Tensor, f0: Tensor | None = None, frames: Tensor | None = None
    ) -> Tensor:
        """Biases of all layers' gates: arguments as of `voices` and FrameNetwork, to (B, layers x 2 residual, N)."""
        return self.project(self.network(vectors, self.speaker_vectors(speaker), f0, frames))

    def speaker_vectors(self, speaker: Tensor) -> Tensor:
        """Vectors (B, V) of speakers by number, (B,) int64; or by the vectors themselves, of voices not in the table."""
        return speaker if speaker.is_floating_point() else self.speaker_embedding(speaker)


class GatedLayer(nn.Module):
    """One dilated layer: tanh(filter) x sigmoid(gate) of samples t and t - dilation, then residual and skip.

    This is the layer as its formula; the whole network runs all of them at once, see `gated_stack`.
    Filter and gate are one matrix, residual and skip another; the filter's rows are doubled on the way,
    because tanh(a) = 2 sigmoid(2a) - 1 lets one sigmoid do both, four times faster on a CPU than tanh.
    """

    def __init__(self, dilation: int, residual: int, skip: int) -> None:
        super().__init__()
        self.dilation, self.residual = dilation, residual
        self.gate = nn.Parameter(torch.randn(2 * residual, 2 * residual) / math.sqrt(2 * residual))
        self.out = nn.Parameter(torch.randn(residual + skip, residual) / math.sqrt(residual))
        self.out_bias = nn.Parameter(torch.zeros(residual + skip, 1))

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """One step up the stack.

        Args:
            x: (B, residual, T).
            condition: (B, 2 residual, N), T a multiple of N.

        Returns:
            (B, residual, T) for the next layer and (B, skip, T) for the sum.
        """
        past = F.pad(x, (self.dilation, 0))[..., : x.shape[-1]]
        weight = torch.cat([2 * self.gate[: self.residual], self.gate[self.residual :]]).expand(
            len(x), -1, -1
        )
        a = weight[..., : self.residual].bmm(past).baddbmm(weight[..., self.residual :], x)
        a = (a.unflatten(-1, (condition.shape[-1], -1)) + condition.unsqueeze(-1)).flatten(-2)
        soft, gate = torch.sigmoid(a).chunk(2, dim=1)
        out = torch.baddbmm(self.out_bias, self.out.expand(len(x), -1, -1), (2 * soft - 1) * gate)
        return x + out[:, : self.residual], out[:, self.residual :]


class WaveNet(nn.Module):
    """Logits of every sample's mu-law level given the levels before it, the codes and the speaker."""

    def __init__(self, config: WaveNetConfig, dim: int, speakers: int) -> None:
        super().__init__()
        self.config = config
        self.conditioning = Conditioning(config, dim, speakers)
        self.embedding = nn.Parameter(smooth_embedding(config.mulaw_bins, config.residual_channels))
        self.phase_embedding = (
            nn.Parameter(cyclic_embedding(NUM_PHASE_BINS, config.residual_channels))
            if config.condition_on_phase
            else None
        )
        dilations = [2**i for _ in range(config.stacks) for i in range(config.layers)]
        self.layers = nn.ModuleList(
            GatedLayer(d, config.residual_channels, config.skip_channels) for d in dilations
        )
        self.hidden = nn.Linear(config.skip_channels, config.hidden_channels)
        self.logits = nn.Linear(config.hidden_channels, config.mulaw_bins)
        nn.init.zeros_(self.logits.bias)
        self.logits.weight.data = smooth_embedding(config.mulaw_bins, config.hidden_channels) / math.sqrt(
            config.hidden_channels
        )

    @property
    def receptive_field(self) -> int:
        """How many past samples a prediction sees: 1 + the sum of the dilations."""
        return 1 + sum(layer.dilation for layer in self.layers)

    def forward(
        self,
        classes: Tensor,
        vectors: Tensor,
        speaker: Tensor,
        f0: Tensor | None = None,
        phase: Tensor | None = None,
    ) -> Tensor:
        """Predict every sample from those before it.

        Args:
            levels: (B, T), int64 in [0, levels).
            vectors: (B, N, D), quantised; T = N x hop.
            speaker: (B,), int64.
            pitch: (B, N), Hz, 0 where unvoiced; for a decoder that is told the pitch.
            phase: (B, T), classes of `audio.phase`, of each sample's own cycle; for a decoder that is told the phase.

        Returns:
            (B, T, levels), logits; those of sample t depend on levels before t alone.
        """
        before = F.pad(classes, (1, -1), value=self.config.mulaw_bins // 2)
        x = F.embedding(before, self.embedding)
        if self.phase_embedding is not None:
            assert phase is not None, "this decoder needs the phase"
            x = x + F.embedding(phase.long(), self.phase_embedding)
        total = self._skips(x, self.conditioning(vectors, speaker, f0))
        # (S, B T) transposed costs nothing inside the product, and leaves the classes contiguous; the scale
        # is laid upon the weights, which are smaller.
        rows, scaled = F.relu(total).flatten(1).t(), self.hidden.weight / math.sqrt(len(self.layers))
        hidden = F.relu(F.linear(rows, scaled, self.hidden.bias)).view(*classes.shape, -1)
        return self.logits(hidden)

    def _skips(self, x: Tensor, condition: Tensor) -> Tensor:
        """The skips of all layers, summed, by the form that is fastest: (B, T, R) to (S, B, T)."""
        dilations = [layer.dilation for layer in self.layers]
        gates = torch.stack([layer.gate for layer in self.layers])
        outs = torch.stack([layer.out for layer in self.layers])
        biases = torch.stack([layer.out_bias for layer in self.layers])
        if torch.is_autocast_enabled(x.device.type):
            return linear_stack(x, condition, gates, outs, biases, dilations)
        return gated_stack(x.transpose(1, 2), condition, gates, outs, biases, dilations)


def smooth_embedding(count: int, width: int) -> Tensor:
    """A table (levels, width) of random smooth functions of the level, with unit variance (our choice).

    Neighbouring levels start almost alike, so the network need not discover that 256 classes lie on a line.
    """
    position = torch.linspace(-1, 1, count)[:, None]
    frequency, phase = 4.0 * torch.randn(width), 2 * math.pi * torch.rand(width)
    return math.sqrt(2) * torch.cos(frequency * position + phase)


def cyclic_embedding(parts: int, width: int) -> Tensor:
    """A table (1 + parts, width) of the parts of a cycle: random harmonics of it, and a row of zeros for no cycle.

    Where the voice is in its cycle tells when the next pulse comes; the first four harmonics are enough to begin with.
    """
    position = torch.arange(parts)[:, None] / parts
    harmonic, phase = torch.randint(1, 5, (width,)), torch.rand(width)
    return torch.cat(
        [torch.zeros(1, width), math.sqrt(2) * torch.cos(2 * math.pi * (harmonic * position + phase))]
    )
