"""The log-mel front end of the encoder: against librosa, and the invariances of its augmentation."""

import librosa
import numpy as np
import pytest
import torch

from helpers.tiny import noise
from speechvq.audio.mel import ENERGY_FLOOR, FFT, WINDOW, LogMel, band_centers
from speechvq.speech.encoder.mel_frontend import (
    MelFrontend,
    cepstrum_weights,
    utterance_mean,
    utterance_sums,
    vtlp_augment,
)


@pytest.mark.parametrize("bands, hop", [(40, 160), (20, 64)])
def test_mel_bands_equal_librosa(bands: int, hop: int) -> None:
    wave = noise(2, 20 * hop)
    ours = LogMel(bands, hop)(wave)
    assert ours.shape == (2, 20, bands)
    filters = librosa.filters.mel(sr=16_000, n_fft=FFT, n_mels=bands, fmin=40.0, htk=True, norm="slaney")
    window = np.pad(np.hanning(WINDOW + 1)[:-1], (FFT - WINDOW) // 2)
    padded = np.pad(wave.numpy(), ((0, 0), ((FFT - hop) // 2, (FFT - hop + 1) // 2)))
    for row in range(2):
        for n in (0, 7, 19):
            power = np.abs(np.fft.rfft(padded[row, n * hop : n * hop + FFT] * window)) ** 2 / FFT
            white = filters.sum(1) * np.square(window).sum() / FFT
            expected = np.log(filters @ power / white + ENERGY_FLOOR)
            assert np.allclose(ours[row, n].numpy(), expected, atol=1e-3)


def test_white_noise_has_its_variance_in_every_band() -> None:
    logs = LogMel(40, 160)(3.0 * torch.randn(1, 160 * 2_000))
    assert (logs.exp().mean((0, 1)) / 9.0 - 1).abs().max() < 0.1


def test_band_centers_have_the_largest_response() -> None:
    for bands in (20, 40):
        filters = librosa.filters.mel(sr=16_000, n_fft=1 << 14, n_mels=bands, fmin=40.0, htk=True, norm=None)
        peak = filters.argmax(1) * 16_000 / (1 << 14)
        assert np.allclose(band_centers(bands).numpy(), peak, atol=2.0)


def test_training_brings_every_band_to_unit_scale() -> None:
    out = MelFrontend(40, 160, 0.0, 0.05).train()(noise(4, 160 * 50))
    assert out.mean((0, 2)).abs().max() < 0.1 and (out.std((0, 2)) - 1).abs().max() < 0.1


def test_gain_and_pauses_do_not_change_the_features() -> None:
    """Neither a gain, a smooth envelope, nor pauses before and after change the features."""
    frontend = MelFrontend(40, 160, 0.0, 0.05).eval()
    wave = noise(1, 160 * 60) * torch.linspace(1e3, 1e4, 160 * 60)
    features = frontend(wave)
    assert torch.allclose(frontend(3.0 * wave), features, atol=0.01)
    pause = torch.zeros(1, 160 * 30)
    assert torch.allclose(
        frontend(torch.cat([pause, wave, pause], 1))[..., 32:88], features[..., 2:58], atol=0.05
    )


def test_the_utterance_mean_can_be_computed_from_segments() -> None:
    logs = torch.randn(2, 30, 8, dtype=torch.float64)
    whole = utterance_mean(*utterance_sums(logs))
    pieces = [utterance_sums(part) for part in logs.split([4, 20, 6], dim=1)]
    assert torch.allclose(utterance_mean(*(sum(parts) for parts in zip(*pieces))), whole)
    for row in range(2):
        weights = [float(np.exp(frame.mean() / 2)) for frame in logs[row].numpy()]
        assert np.allclose(whole[row].numpy(), np.average(logs[row].numpy(), axis=0, weights=weights))


def test_vtlp_changes_the_bands_and_not_the_timing() -> None:
    logs = torch.randn(8, 30, 40).cumsum(1)
    torch.manual_seed(0)
    changed = vtlp_augment(logs, 1.0)
    assert changed.shape == logs.shape and changed.isfinite().all()
    assert not torch.allclose(changed, logs, atol=0.1)
    assert torch.equal(vtlp_augment(logs, 0.0), logs)
    constant = torch.zeros(3, 30, 40)
    augmented = vtlp_augment(constant, 1.0)
    assert torch.allclose(augmented, augmented[:, :1].expand_as(augmented)), (
        "the added curve is constant in time"
    )
    assert augmented.mean(-1).abs().max() < 1e-4, "and has zero mean over the bands"
    torch.manual_seed(1)
    tone = torch.zeros(200, 1, 40)
    tone[:, 0, 20] = 100.0
    places = vtlp_augment(tone, 1.0).argmax(-1)[:, 0]
    assert places.min() >= 16 and places.max() <= 25 and len(places.unique()) > 5, "a fifth either way"


def test_the_cepstrum_is_the_cosine_transform_and_its_delta() -> None:
    weights = cepstrum_weights(40, 26, 9, 4)
    assert weights.shape == (26, 40, 9)
    bands = torch.randn(40)
    static = torch.einsum("dmw,m->d", weights, bands)
    expected = [
        sum(float(bands[m]) * np.cos(np.pi * k * (m + 0.5) / 40) for m in range(40)) / 40**0.5
        for k in range(13)
    ]
    assert np.allclose(static[:13].numpy(), expected, atol=1e-4)
    assert static[13:].abs().max() < 1e-4, "a constant spectrum has zero deltas"
    rising = bands[:, None] * torch.arange(9.0)
    slopes = torch.einsum("dmw,mw->d", weights, rising)[13:]
    assert torch.allclose(slopes, 3.0 * static[:13], atol=1e-3), (
        "60 / 20: sum of squares over sum of magnitudes"
    )
