"""Discriminators of frequency bands: each bin belongs to one band, a band's score depends on it alone."""

import pytest
import torch

from speechvq.speech.vocoder.discriminators import (
    BAND_EDGES,
    SUBBAND_FFT_SIZES,
    Discriminators,
    SubbandDiscriminator,
    compressed_spectra,
)
from speechvq.speech.vocoder.losses import discriminator_loss

NUM_BANDS = len(BAND_EDGES) - 1
RATE = 16000


@pytest.mark.parametrize("fft", SUBBAND_FFT_SIZES)
def test_every_bin_is_in_one_band(fft: int) -> None:
    bins = torch.arange(fft // 2 + 1)
    bands = [bins[band] for band in SubbandDiscriminator(fft, 2).bands]
    assert torch.cat(bands).tolist() == bins.tolist()


@pytest.mark.parametrize("fft", SUBBAND_FFT_SIZES)
@pytest.mark.parametrize("band", range(NUM_BANDS))
def test_a_tone_changes_the_score_of_its_band_most(fft: int, band: int) -> None:
    torch.manual_seed(0)
    discriminator = SubbandDiscriminator(fft, 3)
    hertz = (BAND_EDGES[band] + BAND_EDGES[band + 1]) / 2 * RATE / 2
    noise = 1e-3 * torch.randn(1, 16384)
    tone = 0.3 * torch.sin(2 * torch.pi * hertz * torch.arange(16384) / RATE)
    with torch.no_grad():
        change = discriminator(noise + tone).score - discriminator(noise).score
    change = change.abs()[0, :, 16:-16].mean(1)  # without the edges, where the tone has no single frequency
    assert change.shape == (NUM_BANDS,)
    assert int(change.argmax()) == band


def test_one_score_per_band_and_frame() -> None:
    fft = SUBBAND_FFT_SIZES[0]
    judgment = SubbandDiscriminator(fft, 3)(torch.randn(2, 4096))
    frames = compressed_spectra(torch.randn(2, 4096), fft, torch.hann_window(fft)).shape[2]
    assert judgment.score.shape == (2, NUM_BANDS, frames)
    assert all(feature.shape == (2, 3, frames) for feature in judgment.features)


def test_they_learn_to_tell_phases_apart() -> None:
    """Impulses and noise with the same magnitudes of the long-term spectrum differ in phase alone."""
    torch.manual_seed(0)
    discriminators = Discriminators(2)
    optimizer = torch.optim.Adam(discriminators.parameters(), 3e-3)
    impulses = torch.zeros(4, 4096)
    impulses[:, ::160] = 0.5
    spectrum = torch.fft.rfft(impulses)
    losses = []
    for _ in range(40):
        angles = 2 * torch.pi * torch.rand(spectrum.shape)
        noise = torch.fft.irfft(torch.polar(spectrum.abs(), angles))
        loss = discriminator_loss(discriminators(impulses), discriminators(noise))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()) / len(discriminators.parts))
    assert losses[-1] < 0.3 < 0.45 < losses[0]  # 0.5 if they cannot tell
