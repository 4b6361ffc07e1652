"""Log-mel spectrograms: what an encoder reads of them, and how training alters the voice in them."""

import math

import torch
import torch.nn.functional as F
import torchaudio.functional as TAF
from torch import Tensor, nn

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.normalization import BatchRenorm

WINDOW, FFT = 400, 512  # samples: 25 ms
LOWEST = 40.0  # Hz, of the bands
QUIET = 1e-3  # energy of a band that counts as silence; speech of unit scale has about one
LONGEST_TRACT, COLOUR = (
    0.2,
    1.0,
)  # at full strength: largest change of length, and deviation of the colours, in e-folds
COLOURS = 4  # cosines over the bands that a colour is made of


class LogMel(nn.Module):
    """Spectra of 25 ms, one a hop and centred in it: ln of the energies in mel bands."""

    def __init__(self, bands: int, hop: int) -> None:
        super().__init__()
        self.hop = hop
        filters = TAF.melscale_fbanks(
            FFT // 2 + 1, LOWEST, SAMPLE_RATE / 2, bands, SAMPLE_RATE, norm="slaney"
        )
        window = torch.hann_window(WINDOW)
        # White noise of variance 1 has an energy of 1 in every band.
        white = window.square().sum() / FFT * filters.sum(0)
        self.register_buffer("filters", filters / white, persistent=False)
        self.register_buffer("window", window, persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """(B, T), of unit scale, to (B, N, M), N = T / hop."""
        padded = F.pad(wave, ((FFT - self.hop) // 2, (FFT - self.hop + 1) // 2))
        spectra = torch.stft(
            padded, FFT, self.hop, WINDOW, self.window, center=False, normalized=True, return_complex=True
        )
        energies = torch.view_as_real(spectra).square().sum(-1).transpose(1, 2) @ self.filters
        return (energies + QUIET).log()


def band_centres(bands: int) -> Tensor:
    """Frequencies of the middles of mel bands, Hz: (M,)."""
    low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (LOWEST, SAMPLE_RATE / 2))
    mel = torch.linspace(low, high, bands + 2)[1:-1]
    return 700 * (10 ** (mel / 2595) - 1)


class Hearing(nn.Module):
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
            colour = colour_of(*colour_sums(logs))
        logs = logs - colour[:, None]
        if self.training and self.strength > 0:
            logs = disguise(logs, self.strength)
        return self.norm(logs).transpose(1, 2)


def colour_sums(logs: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over time of weighted spectra and of the weights, which add up from piece to piece.

    A frame weighs as much as its amplitude, so that pauses, and how long they are, do not matter.

    Args:
        logs: (B, N, M).

    Returns:
        (B, M) and (B, 1).
    """
    weights = (0.5 * logs.mean(-1, keepdim=True)).exp()
    return (weights * logs).sum(1), weights.sum(1)


def colour_of(spectra: Tensor, weights: Tensor) -> Tensor:
    """The mean spectrum of an utterance from its sums: (B, M) and (B, 1) to (B, M)."""
    return spectra / weights


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
    weights = (
        strength
        * COLOUR
        * torch.randn(rows, COLOURS, device=logs.device)
        / torch.arange(1, COLOURS + 1, device=logs.device)
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
