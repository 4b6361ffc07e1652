"""Waveform to one vector a code frame: the paper's strided convolutions."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.mel import FFT
from speechvq.audio.mulaw import MuLawCodec
from speechvq.config import EncoderConfig
from speechvq.normalization import BatchRenorm
from speechvq.speech.encoder.mel_frontend import MelFrontend, cepstrum_weights, utterance_mean, utterance_sums

NORM_MOMENTUM = (
    0.002  # momentum of the normalisations: spectra do not move much, and codes are to stay where they are
)
DELTA_WINDOW = 9  # spectra that a slope is taken over
INPUT_GAIN = 10.0  # emphasised speech has an RMS of about 0.1; an encoder fed with less collapses at once


class ResidualBlock(nn.Module):
    """ReLU, convolution of width 3, ReLU, convolution of width 1, added to the input (our choice)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide = nn.Conv1d(channels, channels, 3, padding=1)
        self.narrow = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N) to (B, C, N)."""
        return x + self.narrow(F.relu(self.wide(F.relu(x))))


class Encoder(nn.Module):
    """Strided convolutions, a projection to D and a normalisation (van den Oord et al. 2017, section 4.3).

    A layer of stride s has a window of 2 s and is padded so that it divides the length by s exactly:

        s = 2    |p 0 1 2|3 4 5 6|7 p       windows 0..3, 2..5, ... one pad on either side
                    \\_/     \\_/            output n is centred on inputs 2n and 2n + 1

    Our choices: the channels, ReLU, and the normalisation, without which all codes become one (see
    BatchRenorm).

    With mel bands (not in the paper) it reads a spectrogram. Then what the layers say is added to the
    cepstrum of the spectra and its slope, and is nothing at first: the codes begin as those of k-means on
    such features would, which are nearer to phonemes than what a waveform encoder learns in hours, and go on
    from there.
    """

    def __init__(self, config: EncoderConfig, dim: int, companding: MuLawCodec) -> None:
        super().__init__()
        self.companding = companding
        self.frontend = (
            MelFrontend(config.mel_bands, config.strides[0], config.augment_strength, NORM_MOMENTUM)
            if config.mel_bands
            else None
        )
        self.cepstrum = (
            nn.Conv1d(config.mel_bands, dim, DELTA_WINDOW, padding=DELTA_WINDOW // 2)
            if config.mel_bands
            else None
        )
        strides = (1, *config.strides[1:]) if config.mel_bands else config.strides
        widths = [config.mel_bands or 1] + [config.channels] * len(strides)
        self.layers = nn.ModuleList(
            nn.Conv1d(below, above, 2 * s, s, padding=(s + 1) // 2)
            for below, above, s in zip(widths, widths[1:], strides)
        )
        self.blocks = nn.ModuleList(ResidualBlock(config.channels) for _ in range(config.residual_blocks))
        self.project = nn.Conv1d(config.channels, dim, 1)
        self.norm = BatchRenorm(dim, NORM_MOMENTUM) if config.mel_bands else BatchRenorm(dim)
        for layer in [*self.layers, self.project]:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        if self.cepstrum is not None:
            nn.init.zeros_(self.project.weight)
            nn.init.zeros_(self.cepstrum.bias)
            self.cepstrum.weight.data = cepstrum_weights(config.mel_bands, dim, DELTA_WINDOW)

    @property
    def context_frames(self) -> int:
        """Code frames on either side that a code depends on, at most."""
        spectra = 1 if self.frontend is None else self.frontend.spectrum.hop
        reach, hop = (0, 1) if self.frontend is None else (DELTA_WINDOW * spectra + FFT, spectra)
        for layer in self.layers:
            reach, hop = reach + 2 * layer.stride[0] * hop, hop * layer.stride[0]
        return -(-(reach + 1) // hop) + len(self.blocks)

    def forward(self, wave: Tensor, colour: Tensor | None = None) -> Tensor:
        """Encode a waveform.

        Args:
            wave: (B, T); T is a multiple of the hop.
            colour: (B, M), of the utterances that the waves are pieces of, see `Hearing`; None for that of
                the waves.

        Returns:
            (B, N, D), N = T / hop.
        """
        wave = self.scaled_input(wave)
        x = start = wave.unsqueeze(1) if self.frontend is None else self.frontend(wave, colour)
        for layer in self.layers:
            length = x.shape[-1] // layer.stride[0]
            x = F.relu(layer(x))[..., :length]
        for block in self.blocks:
            x = block(x)
        x = self.project(F.relu(x))
        if self.cepstrum is not None:
            x = x + F.avg_pool1d(self.cepstrum(start), start.shape[-1] // x.shape[-1])
        return self.norm(x.transpose(1, 2))

    def utterance_mean(self, pieces: Iterable[tuple[Tensor, slice]]) -> Tensor | None:
        """The colour of an utterance that is heard piece by piece; None for an encoder to which it does not matter.

        Args:
            pieces: (1, T) each, with what is around it, and which samples are its own.

        Returns:
            (1, M).
        """
        if self.frontend is None:
            return None
        hop, sums = self.frontend.spectrum.hop, []
        for wave, own in pieces:
            logs = self.frontend.spectrum(self.scaled_input(wave))
            sums.append(utterance_sums(logs[:, own.start // hop : own.stop // hop]))
        return utterance_mean(*(torch.stack(parts).sum(0) for parts in zip(*sums))) if sums else None

    def scaled_input(self, wave: Tensor) -> Tensor:
        """What the first layer, or the spectra, are computed of: (B, T) to (B, T)."""
        return INPUT_GAIN * self.companding.preemphasize(wave)


def jitter(vectors: Tensor, probability: float) -> Tensor:
    """Replace a share of the frames by the one before or after them (Chorowski et al. 2019, section II-C).

    It forbids the decoder to rely on a single code, so that neighbouring codes come to mean the same sound.

    Args:
        vectors: (B, N, D).
        share: probability for a frame to be replaced, half by either neighbour; the edges repeat themselves.
    """
    batch, frames, _ = vectors.shape
    draw = torch.rand(batch, frames, device=vectors.device)
    step = (draw < probability / 2).long() - (draw > 1 - probability / 2).long()
    source = (torch.arange(frames, device=vectors.device) + step).clamp(0, frames - 1)
    return vectors.gather(1, source.unsqueeze(-1).expand_as(vectors))
