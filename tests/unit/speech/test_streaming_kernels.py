"""The compiled parts of a stream against the same parts in torch."""

import numpy as np
import pytest
import torch

from helpers.live_model import live_model
from speechvq.audio.f0 import F0_HOP
from speechvq.speech.encoder.encoder import ResidualBlock
from speechvq.speech.sampling.all_pole import levinson_durbin
from speechvq.speech.source_filter import spectral_envelope
from speechvq.speech.source_filter.source_filter import LOG_MEL_SCALE
from speechvq.speech.source_filter.spectral_envelope import NUM_FREQS
from speechvq.speech.streaming.encoder import ResidualStream
from speechvq.speech.streaming.layers import as_array
from speechvq.speech.streaming.source_kernels import SpectrumTables, add_harmonics, noise_and_harmonics
from speechvq.speech.streaming.vocoder import ConvNeXtStream, compressed, factors
from speechvq.speech.vocoder.vocoder import ConvNeXtLayer, Vocoder


def in_parts(layer: ConvNeXtStream | ResidualStream, x: torch.Tensor) -> np.ndarray:
    """Outputs for frames (n, C) that come in parts of several sizes, an empty one among them."""
    cuts = [1, 3, 3, 8, 9, 20]
    return np.concatenate([layer.push(part) for part in np.split(x.numpy(), cuts)])


@pytest.mark.parametrize("lookahead", [0, 1])
@pytest.mark.parametrize("channels", [8, 21])
def test_the_layers_of_the_vocoder_on_a_stream_equal_those_of_torch(channels: int, lookahead: int) -> None:
    torch.manual_seed(0)
    layer, x = ConvNeXtLayer(channels, 3 * channels, lookahead, 0.5), 2 * torch.randn(30, channels)
    for parameter in layer.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    with torch.no_grad():
        whole = layer(x.T[None])[0].T.numpy()
    found = in_parts(ConvNeXtStream(layer), x)
    assert len(found) == 30 - lookahead and np.allclose(found, whole[: len(found)], atol=2e-6, rtol=2e-6)


@pytest.mark.parametrize("lookahead", [0, 1, 2])
def test_the_blocks_of_the_encoder_on_a_stream_equal_those_of_torch(lookahead: int) -> None:
    torch.manual_seed(0)
    block, x = ResidualBlock(11, 2, lookahead), torch.randn(30, 11)
    with torch.no_grad():
        whole = block(x.T[None])[0].T.numpy()
    found = in_parts(ResidualStream(block), x)
    assert len(found) == 30 - lookahead and np.allclose(found, whole[: len(found)], atol=1e-6)


def test_compression_and_factors_of_spectra_are_those_of_torch() -> None:
    torch.manual_seed(0)
    spectra = torch.randn(5, 257, dtype=torch.complex64) * torch.logspace(-7, 1, 257)
    assert np.allclose(compressed(spectra.numpy()), Vocoder.compress(spectra), rtol=1e-5)
    outputs = 3 * torch.randn(5, 514)
    assert np.allclose(factors(outputs.numpy()), Vocoder.factors_of(outputs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("boost", [0.0, 0.9])
def test_noise_and_harmonics_of_a_frame_are_those_of_torch(boost: float) -> None:
    torch.manual_seed(0)
    source = live_model().decoder.source_filter
    assert source is not None
    source.log_bias.data = 0.3 * torch.randn_like(source.log_bias)
    mel, outputs, f0 = (
        torch.randn(4, 8),
        torch.randn(4, 2 * NUM_FREQS),
        torch.tensor([0.0, 60.0, 210.0, 390.0]),
    )
    filled = f0.clamp_min(150.0 * (f0 == 0))
    with torch.no_grad():
        power, harmonics = source.noise_and_harmonics(
            LOG_MEL_SCALE * mel[None], outputs.T[None], f0[None], boost, filled[None]
        )
    tables = SpectrumTables(as_array(source.log_bias), as_array(source.mel_to_freqs), boost)
    for i in range(4):
        noise, amplitudes = np.empty(NUM_FREQS), np.empty(12, np.float32)
        rows = mel[i].numpy(), outputs[i].numpy(), float(f0[i]), float(filled[i])
        noise_and_harmonics(*rows, tables, noise, amplitudes)
        assert np.allclose(noise, power[0, i], rtol=1e-3, atol=1e-7)
        assert np.allclose(amplitudes, harmonics[0, i], rtol=1e-4, atol=1e-6) and amplitudes.any()


def test_harmonics_between_two_frames_are_those_of_torch() -> None:
    rng, source = np.random.default_rng(0), live_model().decoder.source_filter
    assert source is not None
    amplitudes = rng.standard_normal((2, 12)).astype(np.float32)
    phase = rng.integers(0, len(source.cycle_table), 2 * F0_HOP).astype(np.uint8)
    rows = torch.from_numpy(amplitudes)[None], torch.from_numpy(phase)[None]
    whole = source.harmonic_signal(*rows)[0].numpy()
    between, found = slice(F0_HOP // 2, F0_HOP // 2 + F0_HOP), np.ones(F0_HOP)
    add_harmonics(found, phase[between], as_array(source.cycle_table), *amplitudes)
    assert np.allclose(found - 1, whole[between], atol=1e-5)


def test_compiled_linear_prediction_is_that_of_torch() -> None:
    spectra = torch.rand(3, 129, dtype=torch.float64) + 0.1
    correlation = spectra @ spectral_envelope.autocorrelation_basis(24).double()
    taps, variance = spectral_envelope.levinson_durbin(correlation)
    for row, expected, error in zip(correlation.numpy(), taps.numpy(), variance.numpy()):
        found = np.empty(24)
        assert np.isclose(levinson_durbin(row, found), error) and np.allclose(found, expected)
