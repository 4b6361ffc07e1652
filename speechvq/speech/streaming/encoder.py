"""The encoder on a stream: waveform to vectors before quantization."""

import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.audio.mel import FFT, WINDOW
from speechvq.audio.mulaw import INPUT_GAIN
from speechvq.speech.encoder.encoder import Encoder, ResidualBlock
from speechvq.speech.streaming.layers import ConvStream, Delay, Joined, frame_conv_stream, pointwise
from speechvq.speech.streaming.statistics import RunningMean


class SpectrumStream:
    """Log-mel spectra of a stream; a spectrum comes when the last sample of its window has come."""

    def __init__(self, encoder: Encoder) -> None:
        """
        Args:
            encoder: with a mel front end.
        """
        assert encoder.frontend is not None
        self._spectrum = encoder.frontend.spectrum
        self._preemphasis, self._gain = encoder.mulaw.preemphasis, encoder.mulaw.gain * INPUT_GAIN
        self.hop = self._spectrum.hop
        self.future = (WINDOW - self.hop) // 2  # samples after the hop that its spectrum depends on
        self._last = torch.zeros(1)
        self._kept = torch.zeros((FFT - self.hop) // 2)

    def push(self, wave: Tensor) -> Tensor:
        """Spectra (n, M) of the hops that are complete now, from samples (T,) at the level of training."""
        emphasized = self._gain * (wave - self._preemphasis * torch.cat([self._last, wave[:-1]]))
        self._last = wave[-1:] if len(wave) else self._last
        self._kept = torch.cat([self._kept, emphasized])
        before, hop = (FFT - self.hop) // 2, self.hop
        count = max((len(self._kept) - before - self.future) // hop, 0)
        if not count:
            return torch.empty(0, self._spectrum.filters.shape[1])
        # The FFT is longer than the window: what follows the window has no effect.
        part = self._kept[: before + count * hop + self.future]
        after = (FFT - hop + 1) // 2 - self.future
        spectra = self._spectrum.of_padded(F.pad(part, (0, after))[None])[0]
        self._kept = self._kept[count * hop :]
        return spectra


class EncoderStream:
    """Spectra to vectors; the vector of a frame comes `lookahead` frames later."""

    def __init__(self, encoder: Encoder, prior: Tensor) -> None:
        """
        Args:
            encoder: reads log-mel spectra, has one stride, and a limited look-ahead.
            prior: (M,), mean spectrum before there is any speech.
        """
        assert encoder.frontend is not None and encoder.cepstrum is not None
        self._encoder, self._mean = encoder, RunningMean(prior)
        (layer,) = encoder.layers
        self._layer = ConvStream(
            lambda x: F.conv1d(x, layer.weight, layer.bias), layer.in_channels, past=1, lookahead=0
        )
        self._blocks: list[tuple[ResidualBlock, ConvStream, Delay]] = []
        for block in encoder.blocks:
            assert isinstance(block, ResidualBlock)
            self._blocks.append((block, frame_conv_stream(block.wide), Delay(block.wide.around[1])))
        self._cepstrum = frame_conv_stream(encoder.cepstrum)
        self._joined = Joined()
        self.lookahead = max(
            sum(block.wide.around[1] for block, _, _ in self._blocks), encoder.cepstrum.around[1]
        )

    def push(self, spectra: Tensor) -> Tensor:
        """Vectors (m, D) of the frames that are complete now, from the next spectra (n, M)."""
        assert self._encoder.frontend is not None
        logs = spectra - self._mean.push(spectra)
        inputs = self._encoder.frontend.norm(logs).T[None]
        x = F.relu(self._layer.push(inputs))
        for block, conv, delay in self._blocks:
            x = delay.push(x) + pointwise(block.narrow, F.relu(conv.push(F.relu(x))))
        first, second = self._joined.push(
            pointwise(self._encoder.project, F.relu(x)), self._cepstrum.push(inputs)
        )
        return self._encoder.norm((first + second)[0].T)
