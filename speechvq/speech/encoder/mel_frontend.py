"""Log-mel spectrograms: what an encoder reads of them, and how training alters the voice in them."""

import math

import torch
from torch import Tensor, nn

from speechvq.audio.mel import LogMel
from speechvq.normalization import BatchRenorm

MAX_WARP, MAX_TILT = (
    0.2,
    1.0,
)  # at full strength: largest change of length, and deviation of the colours, in e-folds
NUM_TILT_COSINES = 4  # cosines over the bands that a colour is made of


class MelFrontend(nn.Module):
    """What the encoder reads of a spectrogram: without the colour of the voice and the room, in unit scale.

    Chorowski et al. (2019) read such features. The colour is the mean over an utterance; taking it away is as old as
    cepstral mean subtraction (Atal 1974) and leaves the codes less of the speaker to tell.
    """

    def __init__(self, bands: int, hop: int, strength: float, momentum: float) -> None:
        """`strength` is that of the disguise in training, 0 to 1; `momentum` that of the normalisation."""
        super().__init__()
        self.spectrum, self.strength = LogMel(bands, hop), strength
        self.norm = BatchRenorm(bands, momentum)

    def forward(self, wave: Tensor, colour: Tensor | None = None) -> Tensor:
        """(B, T), and the utterances' colours (B, M) where the wave is not all of them, to (B, M, N)."""
        logs = self.spectrum(wave)
        if colour is None:
            colour = utterance_mean(*utterance_sums(logs))
        logs = logs - colour[:, None]
        if self.training and self.strength > 0:
            logs = vtlp_augment(logs, self.strength)
        return self.norm(logs).transpose(1, 2)


def utterance_sums(logs: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over time of weighted spectra and of the weights, which add up from piece to piece.

    A frame weighs as much as its amplitude, so that pauses, and how long they are, do not matter.

    Args:
        logs: (B, N, M).

    Returns:
        (B, M) and (B, 1).
    """
    weights = (0.5 * logs.mean(-1, keepdim=True)).exp()
    return (weights * logs).sum(1), weights.sum(1)


def utterance_mean(spectra: Tensor, weights: Tensor) -> Tensor:
    """The mean spectrum of an utterance from its sums: (B, M) and (B, 1) to (B, M)."""
    return spectra / weights


def vtlp_augment(logs: Tensor, strength: float) -> Tensor:
    """Give every row another vocal tract and another colour, so that the codes need not tell the voice (our choice).

    The bands are stretched as by another length of the tract (Jaitly and Hinton 2013, VTLP), and a random curve of
    slow cosines is added, as another microphone would.

    Args:
        logs: (B, N, M), ln of the energies.
        strength: 0 to 1; at 1 the tract is up to a fifth longer or shorter.
    """
    rows, _, bands = logs.shape
    factor = 1 + strength * MAX_WARP * (2 * torch.rand(rows, 1, device=logs.device) - 1)
    place = (torch.arange(bands, device=logs.device) * factor).clamp(max=bands - 1.0)
    low = place.floor().long().clamp(max=bands - 2)
    share = (place - low).unsqueeze(1)
    low = low.unsqueeze(1).expand_as(logs)
    warped = torch.lerp(logs.gather(2, low), logs.gather(2, low + 1), share)
    angle = math.pi * (torch.arange(bands, device=logs.device) + 0.5) / bands
    curves = torch.cos(torch.arange(1, NUM_TILT_COSINES + 1, device=logs.device)[:, None] * angle)
    weights = (
        strength
        * MAX_TILT
        * torch.randn(rows, NUM_TILT_COSINES, device=logs.device)
        / torch.arange(1, NUM_TILT_COSINES + 1, device=logs.device)
    )
    return warped + (weights @ curves).unsqueeze(1)


def cepstrum_weights(bands: int, dim: int, width: int) -> Tensor:
    """Weights (D, M, width) of a convolution that makes cepstra of log-mel bands, and the slopes of as many.

    The first half of the outputs is the discrete cosine transform in the middle of the window, the second its slope
    over the window.
    """
    still = (dim + 1) // 2
    angle = math.pi * (torch.arange(bands) + 0.5) / bands
    cosines = torch.cos(torch.arange(still)[:, None] * angle) / math.sqrt(bands)
    weights, middle = torch.zeros(dim, bands, width), width // 2
    weights[:still, :, middle] = cosines
    slope = torch.arange(width) - float(middle)
    weights[still:] = cosines[: dim - still, :, None] * slope / max(float(slope.abs().sum()), 1.0)
    return weights
