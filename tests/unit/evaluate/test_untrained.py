"""The untrained encoder: architecture of the model, weights by seed, the paper's layers at other rates."""

import math

import numpy as np
import pytest
import torch

from helpers.synthetic_speech import speech
from helpers.tiny import MODEL
from speechvq.audio.waveform import SAMPLE_RATE, normalize_level
from speechvq.config import SpeechConfig
from speechvq.evaluate.baselines import untrained
from speechvq.evaluate.baselines.untrained import same_rate_config, untrained_features
from speechvq.speech.model import SpeechVQ


def test_outputs_equal_those_of_the_model_encoder() -> None:
    wave = normalize_level(speech("ann")[:8_000])
    torch.manual_seed(5)
    model = SpeechVQ(MODEL, ["ann"]).eval()
    with torch.no_grad():
        expected = model.encoder(torch.from_numpy(wave)[None])[0].numpy()
    np.testing.assert_allclose(untrained_features(MODEL, 5)(wave), expected, rtol=1e-4, atol=1e-5)


def test_seeds_leave_the_global_generator_unchanged() -> None:
    wave = speech("ben")[:4_000]
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    one, same, other = (untrained_features(MODEL, seed)(wave) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


@pytest.mark.parametrize("samples", [0, 1, 7, 8, 9, 4_001])
def test_a_partial_frame_counts_as_one(samples: int) -> None:
    frames = untrained_features(MODEL, 0)(speech("ann")[:samples])
    assert (
        frames.shape == (math.ceil(samples / MODEL.hop), MODEL.quantizer.dim) and frames.dtype == np.float32
    )


def test_segments_join_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    wave, features = speech("cay")[:8_000], untrained_features(MODEL, 0)
    whole = features(wave)
    monkeypatch.setattr(untrained, "_SEGMENT", 40 * MODEL.hop)
    np.testing.assert_allclose(features(wave), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("rate", "strides"),
    [(250, (2,) * 6), (125, (2,) * 7), (25, (2,) * 7 + (5,)), (50, (2,) * 6 + (5,)), (16_000, (1,))],
)
def test_the_papers_layers_at_other_rates(rate: float, strides: tuple[int, ...]) -> None:
    config = same_rate_config(99, rate)
    assert config.encoder.strides == strides and config.quantizer.num_codes == 99
    assert config.hop * rate == SAMPLE_RATE
    assert config.encoder.channels == SpeechConfig().encoder.channels


@pytest.mark.parametrize("rate", [30, 33.3, 16_000 / 67])
def test_rates_that_no_strides_reach(rate: float) -> None:
    with pytest.raises(ValueError):
        same_rate_config(8, rate)
