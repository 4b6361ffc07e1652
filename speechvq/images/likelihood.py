"""What a decoder says of pixels: a distribution over every sub-pixel's 256 values, and exact nats."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.config.images import AutoencoderConfig

VALUES = 256  # of a sub-pixel
COLORS = 3
_HALF = 1 / (VALUES - 1)  # half a value's width where the values reach from -1 to 1
_NARROWEST, _WIDEST = -7.0, 5.0  # log scales: a tenth of a value's width, and flat from black to white


class Likelihood(Protocol):
    """A distribution of pictures given a decoder's outputs, independent over sub-pixels."""

    @property
    def channels(self) -> int:
        """Outputs a pixel."""

    def nll(self, outputs: Tensor, pixels: Tensor) -> Tensor:
        """-log p(pixels | outputs), summed over a picture: (B, C, H, W), (B, 3, H, W) uint8 to (B,)."""

    def mean_image(self, outputs: Tensor) -> Tensor:
        """The mean picture: (B, C, H, W) to (B, 3, H, W), float32 from 0 to 255."""


@dataclass(frozen=True)
class SoftmaxLikelihood:
    """A softmax over 256 values that know nothing of one another; the authors' choice for their bound."""

    channels: int = COLORS * VALUES

    def nll(self, outputs: Tensor, pixels: Tensor) -> Tensor:
        """-log p(pixels | outputs), summed over a picture: (B, 768, H, W), (B, 3, H, W) uint8 to (B,)."""
        rows = outputs.permute(0, 2, 3, 1).reshape(-1, VALUES)  # no copy of outputs in channels_last
        values = pixels.permute(0, 2, 3, 1).reshape(-1).long()
        each = F.cross_entropy(rows.float(), values, reduction="none")
        return each.view(len(pixels), -1).sum(1)

    def mean_image(self, outputs: Tensor) -> Tensor:
        """The mean picture: (B, 768, H, W) to (B, 3, H, W), float32 from 0 to 255."""
        shares = outputs.float().unflatten(1, (COLORS, VALUES)).softmax(2)
        return torch.einsum("bcvhw,v->bchw", shares, torch.arange(VALUES, device=outputs.device).float())


@dataclass(frozen=True)
class LogisticLikelihood:
    """A mixture of logistic distributions, each cut into 256 values (Salimans et al. 2017, section 2.1).

    Without that paper's dependence among the colours, so that a picture's sub-pixels stay independent given
    the latents, as they are under the softmax.
    """

    mixtures: int

    @property
    def channels(self) -> int:
        """A weight, a mean and a log scale a component and colour."""
        return COLORS * 3 * self.mixtures

    def nll(self, outputs: Tensor, pixels: Tensor) -> Tensor:
        """-log p(pixels | outputs), summed over a picture: (B, 9 M, H, W), (B, 3, H, W) uint8 to (B,)."""
        weights, means, log_scales = self._parameters(outputs)
        values = pixels.permute(0, 2, 3, 1)[..., None]
        logs = weights.log_softmax(-1) + _log_mass(values, means, log_scales)
        return -logs.logsumexp(-1).flatten(1).sum(1)

    def mean_image(self, outputs: Tensor) -> Tensor:
        """The mean picture, but for what is cut off at black and white: (B, 9 M, H, W) to (B, 3, H, W)."""
        weights, means, _ = self._parameters(outputs)
        mean = (weights.softmax(-1) * means.clamp(-1, 1)).sum(-1).permute(0, 3, 1, 2)
        return (mean + 1) / (2 * _HALF)

    def _parameters(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 9 M, H, W) to weights, means and log scales, (B, H, W, 3, M) each."""
        each = outputs.permute(0, 2, 3, 1).float().unflatten(-1, (COLORS, 3, self.mixtures))
        weights, means, log_scales = each.unbind(-2)
        # An untrained decoder's components lie evenly between black and white, and overlap.
        spread = (torch.arange(self.mixtures, device=outputs.device) + 0.5) / self.mixtures * 2 - 1
        return weights, means + spread, (log_scales - math.log(2 * self.mixtures)).clamp(_NARROWEST, _WIDEST)


def _log_mass(values: Tensor, means: Tensor, log_scales: Tensor) -> Tensor:
    """Log probability of values 0 to 255, the outermost with all that lies beyond them.

    log(sigmoid(b) - sigmoid(a)) = log sigmoid(b) + log sigmoid(-a) + log(1 - e^(a - b)), which loses
    nothing in the tails; b - a depends on the scale alone.
    """
    centred = values.float() * (2 * _HALF) - 1 - means
    rate = torch.exp(-log_scales)
    upper, lower = (centred + _HALF) * rate, (centred - _HALF) * rate
    below = F.logsigmoid(upper)
    above = F.logsigmoid(-lower)
    between = below + above + torch.log(-torch.expm1(-2 * _HALF * rate))
    return torch.where(values == 0, below, torch.where(values == VALUES - 1, above, between))


def build_likelihood(config: AutoencoderConfig) -> Likelihood:
    """The likelihood that a configuration names."""
    return SoftmaxLikelihood() if config.likelihood == "softmax" else LogisticLikelihood(config.mixtures)
