"""A log-mel spectrogram in front of the encoder, and how training alters the voice in it."""

import math

import torch
import torch.nn.functional as F
import torchaudio.functional as TAF
from torch import Tensor, nn

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.normalization import BatchRenorm

WINDOW, FFT = 400, 512  # samples: 25 ms
QUIET = 1e-3  # energy of a band that counts as silence; speech at the encoder's scale has about one
LONGEST_TRACT, COLOUR = 0.2, 1.0  # at full strength: largest change of length, and deviation of the colours, in e-folds
COLOURS = 4  # cosines over the bands that a colour is made of


class LogMel(nn.Module):
    """Spectra of 25 ms, one a hop and centred in it, in unit scale (Chorowski et al. 2019 read such features)."""

    def __init__(self, bands: int, hop: int, strength: float, momentum: float = 0.05) -> None:
        """`strength` is that of the disguise in training, 0 to 1; `momentum` that of the normalisation."""
        super().__init__()
        self.hop, self.strength = hop, strength
        self.norm = BatchRenorm(bands, momentum)
        filters = TAF.melscale_fbanks(FFT // 2 + 1, 40.0, SAMPLE_RATE / 2, bands, SAMPLE_RATE, norm="slaney")
        self.register_buffer("filters", filters * 1e2, persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """(B, T) to (B, M, N), N = T / hop."""
        padded = F.pad(wave, ((FFT - self.hop) // 2, (FFT - self.hop + 1) // 2))
        spectra = torch.stft(
            padded, FFT, self.hop, WINDOW, self.window, center=False, normalized=True, return_complex=True
        )
        energies = torch.view_as_real(spectra).square().sum(-1).transpose(1, 2) @ self.filters
        logs = (energies + QUIET).log()
        if self.training and self.strength > 0:
            logs = disguise(logs, self.strength)
        return self.norm(logs).transpose(1, 2)


def disguise(logs: Tensor, strength: float) -> Tensor:
    """Give every row another vocal tract and another colour, so that the codes need not tell the voice (our choice).

    The bands are stretched as by another length of the tract (Jaitly and Hinton 2013, VTLP), and a random curve of
    slow cosines is added, as another microphone would.

    Args:
        logs: (B, N, M), ln of the energies.
        strength: 0 to 1; at 1 the tract is up to a fifth longer or shorter.
    """
    rows, _, bands = logs.shape
    factor = 1 + strength * LONGEST_TRACT * (2 * torch.rand(rows, 1, device=logs.device) - 1)
    place = (torch.arange(bands, device=logs.device) * factor).clamp(max=bands - 1.0)
    low = place.floor().long().clamp(max=bands - 2)
    share = (place - low).unsqueeze(1)
    low = low.unsqueeze(1).expand_as(logs)
    warped = torch.lerp(logs.gather(2, low), logs.gather(2, low + 1), share)
    angle = math.pi * (torch.arange(bands, device=logs.device) + 0.5) / bands
    curves = torch.cos(torch.arange(1, COLOURS + 1, device=logs.device)[:, None] * angle)
    weights = strength * COLOUR * torch.randn(rows, COLOURS, device=logs.device) / torch.arange(1, COLOURS + 1, device=logs.device)
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
