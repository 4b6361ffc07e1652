"""The log-mel front end of the encoder: mean subtraction, augmentation and normalization of the bands."""

import math

import torch
from torch import Tensor, nn

from speechvq.audio.mel import LogMel
from speechvq.normalization import BatchRenorm

MAX_WARP = 0.2  # at augmentation strength 1: largest relative change of the vocal tract's length
MAX_TILT = 1.0  # at strength 1: standard deviation of the random spectral curve, natural logarithm of energy
NUM_TILT_COSINES = 4  # cosines over the bands that the random spectral curve is made of


class MelFrontend(nn.Module):
    """Log-mel spectrogram with the utterance's mean subtracted, each band scaled to unit variance.

    Chorowski et al. (2019) encode such features. Subtracting the mean over the utterance is cepstral mean
    normalization (Atal 1974). It removes much of the speaker and the channel from the encoder's input.
    """

    def __init__(self, bands: int, hop: int, augment_strength: float, momentum: float) -> None:
        """
        Args:
            bands: M, number of mel bands.
            hop: samples between spectra.
            augment_strength: strength of `vtlp_augment` in training, 0 to 1.
            momentum: of the running statistics of the normalization.
        """
        super().__init__()
        self.spectrum, self.augment_strength = LogMel(bands, hop), augment_strength
        self.norm = BatchRenorm(bands, momentum)

    def forward(self, wave: Tensor, mean: Tensor | None = None) -> Tensor:
        """Normalized log-mel spectra.

        Args:
            wave: (B, T), scaled to an RMS of about 1.
            mean: (B, M), mean spectra of the utterances that the waves are excerpts of, see `utterance_mean`;
                None: the mean of each wave itself; in training that is the crop's.

        Returns:
            (B, M, N), N = T / hop.
        """
        logs = self.spectrum(wave)
        if mean is None:
            mean = utterance_mean(*utterance_sums(logs))
        logs = logs - mean[:, None]
        if self.training and self.augment_strength > 0:
            logs = vtlp_augment(logs, self.augment_strength)
        return self.norm(logs).transpose(1, 2)


def utterance_sums(logs: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted sum of spectra over time and sum of the weights; both add up over consecutive excerpts.

    A frame's weight is its amplitude, so that pauses and their length have little influence.

    Args:
        logs: (B, N, M), natural logarithm of the band energies.

    Returns:
        (B, M) and (B, 1).
    """
    weights = (0.5 * logs.mean(-1, keepdim=True)).exp()
    return (weights * logs).sum(1), weights.sum(1)


def utterance_mean(spectra: Tensor, weights: Tensor) -> Tensor:
    """Mean spectrum of an utterance from the sums of `utterance_sums`: (B, M) and (B, 1) to (B, M)."""
    return spectra / weights


def vtlp_augment(logs: Tensor, strength: float) -> Tensor:
    """Perturb the vocal tract length and the spectral tilt of each row, so that codes carry less of the
    speaker.

    The bands are stretched as by another vocal tract length (VTLP, Jaitly and Hinton 2013), and a random sum
    of slow cosines over the bands is added, as another microphone would add. The combination is our choice.

    Args:
        logs: (B, N, M), natural logarithm of the band energies.
        strength: 0 to 1; at 1 the tract is up to a fifth longer or shorter.

    Returns:
        (B, N, M).
    """
    rows, _, bands = logs.shape
    factor = 1 + strength * MAX_WARP * (2 * torch.rand(rows, 1, device=logs.device) - 1)
    position = (torch.arange(bands, device=logs.device) * factor).clamp(max=bands - 1.0)
    low = position.floor().long().clamp(max=bands - 2)
    fraction = (position - low).unsqueeze(1)
    low = low.unsqueeze(1).expand_as(logs)
    warped = torch.lerp(logs.gather(2, low), logs.gather(2, low + 1), fraction)
    orders = torch.arange(1, NUM_TILT_COSINES + 1, device=logs.device)
    cosines = cosines_over_bands(orders, bands)
    noise = torch.randn(rows, NUM_TILT_COSINES, device=logs.device)
    return warped + (strength * MAX_TILT * noise / orders @ cosines).unsqueeze(1)


def cosines_over_bands(orders: Tensor, bands: int) -> Tensor:
    """Rows of the discrete cosine transform over M bands, not scaled: orders (C,) to (C, M)."""
    angle = math.pi * (torch.arange(bands, device=orders.device) + 0.5) / bands
    return torch.cos(orders[:, None] * angle)


def cepstrum_weights(bands: int, dim: int, width: int, lookahead: int) -> Tensor:
    """Weights (D, M, width) of a convolution that computes cepstra of log-mel bands and their deltas.

    The first half of the outputs is the discrete cosine transform of the current frame, the second half the
    slope over the window.

    Args:
        bands: M.
        dim: D.
        width: frames of the window.
        lookahead: frames of the window after the current one.
    """
    static = (dim + 1) // 2
    cosines = cosines_over_bands(torch.arange(static), bands) / math.sqrt(bands)
    weights = torch.zeros(dim, bands, width)
    weights[:static, :, width - 1 - lookahead] = cosines
    slope = torch.arange(width) - float(width // 2)
    weights[static:] = cosines[: dim - static, :, None] * slope / max(float(slope.abs().sum()), 1.0)
    return weights
