"""Likelihoods of images: exact distributions over the 256 values of each sub-pixel."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.config.images import AutoencoderConfig

VALUES = 256  # of a sub-pixel
COLORS = 3
_HALF_WIDTH = 1 / (VALUES - 1)  # half the width of a value, on the scale from -1 to 1
_MIN_LOG_SCALE, _MAX_LOG_SCALE = -7.0, 5.0  # a tenth of a value's width; flat from black to white


class Likelihood(Protocol):
    """A distribution of images given a decoder's outputs; sub-pixels are independent."""

    @property
    def channels(self) -> int:
        """Outputs per pixel."""

    def nll(self, outputs: Tensor, pixels: Tensor) -> Tensor:
        """Negative log-likelihood in nats per image: (B, C, H, W) and (B, 3, H, W) uint8 to (B,)."""

    def mean_image(self, outputs: Tensor) -> Tensor:
        """The mean image: (B, C, H, W) to (B, 3, H, W), float32 in [0, 255]."""


@dataclass(frozen=True)
class SoftmaxLikelihood:
    """A softmax over 256 values per sub-pixel, as in the paper."""

    channels: int = COLORS * VALUES

    def nll(self, outputs: Tensor, pixels: Tensor) -> Tensor:
        """Negative log-likelihood in nats per image: (B, 768, H, W) and (B, 3, H, W) uint8 to (B,)."""
        rows = outputs.permute(0, 2, 3, 1).reshape(-1, VALUES)  # no copy of outputs in channels_last
        values = pixels.permute(0, 2, 3, 1).reshape(-1).long()
        nll = F.cross_entropy(rows.float(), values, reduction="none")
        return nll.view(len(pixels), -1).sum(1)

    def mean_image(self, outputs: Tensor) -> Tensor:
        """The mean image: (B, 768, H, W) to (B, 3, H, W), float32 in [0, 255]."""
        probabilities = outputs.float().unflatten(1, (COLORS, VALUES)).softmax(2)
        values = torch.arange(VALUES, device=outputs.device).float()
        return torch.einsum("bcvhw,v->bchw", probabilities, values)


@dataclass(frozen=True)
class LogisticLikelihood:
    """A mixture of M logistic distributions, discretized to 256 values (Salimans et al. 2017, section 2.1).

    Unlike in that paper, the colors of a pixel are independent given the latents, as under the softmax.
    """

    mixtures: int

    @property
    def channels(self) -> int:
        """Outputs per pixel: weight, mean and log scale of each component and color."""
        return COLORS * 3 * self.mixtures

    def nll(self, outputs: Tensor, pixels: Tensor) -> Tensor:
        """Negative log-likelihood in nats per image: (B, 9 M, H, W) and (B, 3, H, W) uint8 to (B,)."""
        weights, means, log_scales = self._parameters(outputs)
        values = pixels.permute(0, 2, 3, 1)[..., None]
        log_probabilities = weights.log_softmax(-1) + _log_probability(values, means, log_scales)
        return -log_probabilities.logsumexp(-1).flatten(1).sum(1)

    def mean_image(self, outputs: Tensor) -> Tensor:
        """The mean image: (B, 9 M, H, W) to (B, 3, H, W), float32 in [0, 255].

        Component means are clipped to [black, white]; the effect of truncated tails is neglected.
        """
        weights, means, _ = self._parameters(outputs)
        mean = (weights.softmax(-1) * means.clamp(-1, 1)).sum(-1).permute(0, 3, 1, 2)
        return (mean + 1) / (2 * _HALF_WIDTH)

    def _parameters(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mixture weights (logits), means and log scales, (B, H, W, 3, M) each."""
        parameters = outputs.permute(0, 2, 3, 1).float().unflatten(-1, (COLORS, 3, self.mixtures))
        weights, means, log_scales = parameters.unbind(-2)
        # At initialization the components are evenly spaced between black and white and overlap.
        offsets = (torch.arange(self.mixtures, device=outputs.device) + 0.5) / self.mixtures * 2 - 1
        log_scales = (log_scales - math.log(2 * self.mixtures)).clamp(_MIN_LOG_SCALE, _MAX_LOG_SCALE)
        return weights, means + offsets, log_scales


def _log_probability(values: Tensor, means: Tensor, log_scales: Tensor) -> Tensor:
    """Log probability of values 0 to 255; 0 and 255 include the tails beyond them.

    log(sigmoid(b) - sigmoid(a)) = log sigmoid(b) + log sigmoid(-a) + log(1 - e^(a - b)) is accurate in the
    tails; b - a depends on the scale alone.
    """
    centered = values.float() * (2 * _HALF_WIDTH) - 1 - means
    inverse_scales = torch.exp(-log_scales)
    upper, lower = (centered + _HALF_WIDTH) * inverse_scales, (centered - _HALF_WIDTH) * inverse_scales
    below = F.logsigmoid(upper)
    above = F.logsigmoid(-lower)
    between = below + above + torch.log(-torch.expm1(-2 * _HALF_WIDTH * inverse_scales))
    return torch.where(values == 0, below, torch.where(values == VALUES - 1, above, between))


def build_likelihood(config: AutoencoderConfig) -> Likelihood:
    """The likelihood of a configuration."""
    return SoftmaxLikelihood() if config.likelihood == "softmax" else LogisticLikelihood(config.mixtures)
