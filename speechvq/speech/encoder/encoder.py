"""Waveform encoder: strided convolutions, as in the paper, optionally on a log-mel spectrogram."""

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.mel import FFT
from speechvq.audio.mulaw import INPUT_GAIN, MuLawCodec
from speechvq.config import EncoderConfig
from speechvq.normalization import BatchRenorm
from speechvq.speech.encoder.mel_frontend import MelFrontend, cepstrum_weights, utterance_mean, utterance_sums
from speechvq.speech.frame_network import FrameConv, split_lookahead

NORM_MOMENTUM = 0.002  # of running statistics with a mel front end; low, so that codes do not drift
DELTA_WINDOW = 9  # spectra that a delta (slope of the cepstrum) spans


class ResidualBlock(nn.Module):
    """ReLU, dilated convolution of width 3, ReLU, convolution of width 1, added to the input (our choice)."""

    def __init__(self, channels: int, dilation: int, lookahead: int) -> None:
        """
        Args:
            channels: C.
            dilation: of the wide convolution, in frames.
            lookahead: see `FrameConv`.
        """
        super().__init__()
        self.wide = FrameConv(channels, channels, dilation, lookahead)
        self.narrow = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N) to (B, C, N)."""
        return x + self.narrow(F.relu(self.wide(F.relu(x))))


class Encoder(nn.Module):
    """Strided convolutions, projection and normalization (van den Oord et al. 2017, section 4.3).

    A layer of stride s has a kernel of 2 s samples. Its padding makes the output exactly s times shorter:

        s = 2    |p 0 1 2|3 4 5 6|7 p       kernels at 0..3, 2..5, ...; p is padding on both sides
                    \\_/     \\_/            output n is centered on inputs 2n and 2n + 1

    Our choices: the number of channels, ReLU, and `BatchRenorm`, without which all codes become one.

    With `mel_bands` (not in the paper) the encoder reads a normalized log-mel spectrogram. The cepstrum and
    its delta are added to the output of the layers, whose projection starts at zero. So the initial codes are
    those of k-means on cepstra. They are closer to phonemes than the codes that a waveform encoder learns in
    hours, and training continues from there.
    """

    layers: Sequence[nn.Conv1d]

    def __init__(self, config: EncoderConfig, dim: int, mulaw: MuLawCodec) -> None:
        """
        Args:
            config: sizes and options.
            dim: D, width of the output vectors.
            mulaw: codec whose pre-emphasis is applied to the waveform.
        """
        super().__init__()
        bands, strides = config.mel_bands, config.strides
        self.mulaw = mulaw
        self.frontend: MelFrontend | None = None
        self.cepstrum: FrameConv | None = None
        if bands:
            self.frontend = MelFrontend(bands, strides[0], config.augment_strength, NORM_MOMENTUM)
            half, later = DELTA_WINDOW // 2, config.lookahead_frames * math.prod(strides[1:])
            self.delta_lookahead = half if later < 0 else min(half, later)
            self.cepstrum = FrameConv(bands, dim, 1, self.delta_lookahead, DELTA_WINDOW)
            strides = (1, *strides[1:])
        widths = [bands or 1] + [config.channels] * len(strides)
        layers = [
            nn.Conv1d(below, above, 2 * s, s, padding=(s + 1) // 2)
            for below, above, s in zip(widths, widths[1:], strides)
        ]
        self.layers = cast(Sequence[nn.Conv1d], nn.ModuleList(layers))
        dilations = [config.dilations[i % len(config.dilations)] for i in range(config.residual_blocks)]
        lookaheads = split_lookahead(dilations, config.lookahead_frames)
        self.blocks = nn.ModuleList(
            ResidualBlock(config.channels, *each) for each in zip(dilations, lookaheads)
        )
        both_sides = [sum(2 * dilation for dilation in dilations) - sum(lookaheads), sum(lookaheads)]
        self.block_context = max(both_sides)
        self.project = nn.Conv1d(config.channels, dim, 1)
        self.norm = BatchRenorm(dim, NORM_MOMENTUM) if bands else BatchRenorm(dim)
        for layer in [*layers, self.project]:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            _zero_bias(layer)
        if self.cepstrum is not None:
            nn.init.zeros_(self.project.weight)
            _zero_bias(self.cepstrum)
            self.cepstrum.weight.data = cepstrum_weights(bands, dim, DELTA_WINDOW, self.delta_lookahead)

    @property
    def context_frames(self) -> int:
        """Upper bound of the code frames on each side that a code depends on."""
        samples, hop = 0, 1  # context on each side and samples per frame, both of the layers so far
        if self.frontend is not None:
            hop = self.frontend.spectrum.hop
            samples = DELTA_WINDOW * hop + FFT
        for layer in self.layers:
            samples, hop = samples + 2 * layer.stride[0] * hop, hop * layer.stride[0]
        return -(-(samples + 1) // hop) + self.block_context

    def forward(self, wave: Tensor, mean: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Vectors before quantization.

        Args:
            wave: (B, T), T a multiple of the hop.
            mean: (B, M), mean log-mel spectra of the utterances that the waves are parts of, see
                `utterance_mean`; None: the mean of each wave itself; in training that is the crop's. An
                encoder without a mel front end does not use it.
            mask: (B, L), bool, True for spectra that are set to zero; only with a mel front end. None: no
                mask.

        Returns:
            (B, N, D), N = T / hop.
        """
        wave = self.scaled_input(wave)
        x = inputs = wave.unsqueeze(1) if self.frontend is None else self.frontend(wave, mean)
        if mask is not None:
            x = inputs = x * ~mask[:, None]
        for layer in self.layers:
            length = x.shape[-1] // layer.stride[0]
            x = F.relu(layer(x))[..., :length]
        for block in self.blocks:
            x = block(x)
        x = self.project(F.relu(x))
        if self.cepstrum is not None:
            x = x + F.avg_pool1d(self.cepstrum(inputs), inputs.shape[-1] // x.shape[-1])
        return self.norm(x.transpose(1, 2))

    def utterance_mean(self, segments: Iterable[tuple[Tensor, slice]]) -> Tensor | None:
        """Mean log-mel spectrum of an utterance that is given in segments.

        Args:
            segments: for each, the waveform with its context, (1, T), and the samples of the segment itself.

        Returns:
            (1, M), or None for an encoder without a mel front end and for no segments.
        """
        if self.frontend is None:
            return None
        hop, sums = self.frontend.spectrum.hop, []
        for wave, valid in segments:
            logs = self.frontend.spectrum(self.scaled_input(wave))
            sums.append(utterance_sums(logs[:, valid.start // hop : valid.stop // hop]))
        return utterance_mean(*(torch.stack(parts).sum(0) for parts in zip(*sums))) if sums else None

    def scaled_input(self, wave: Tensor) -> Tensor:
        """Pre-emphasized waveform with an RMS of about 1 for speech: (B, T) to (B, T)."""
        return INPUT_GAIN * self.mulaw.preemphasize(wave)


def _zero_bias(layer: nn.Conv1d) -> None:
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
