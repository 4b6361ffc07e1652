"""F0 prediction from codes, and its interpolation to the frame rate."""

import dataclasses

import numpy as np
import pytest
import torch

from helpers.tiny import SPEAKERS, WAVENET, speech_config
from speechvq.audio.f0 import mean_f0
from speechvq.audio.f0_conditioning import f0_at_frame_rate
from speechvq.config import SourceFilterConfig
from speechvq.speech.f0_predictor import F0Predictor
from speechvq.speech.model import SpeechVQ


def test_training_learns_voicing_and_f0_of_codes() -> None:
    """Two voiced codes, of 100 and 200 Hz and for another speaker an octave higher, and an unvoiced one."""
    torch.manual_seed(0)
    model, speakers, vectors = F0Predictor(3, 2, 16), torch.eye(2), torch.eye(3)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    hertz = torch.tensor([[100.0, 200.0, 0.0], [200.0, 400.0, 0.0]])
    for _ in range(300):
        codes = torch.randint(3, (2, 40))
        loss = model.loss(vectors[codes], speakers, hertz.gather(1, codes))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    codes = torch.randint(3, (2, 40))
    contour, target = model.predict_f0(vectors[codes], speakers), hertz.gather(1, codes)
    assert torch.equal(contour > 0, target > 0)
    assert (contour[target > 0] / target[target > 0]).log2().abs().max() < 0.2


def test_the_loss_has_no_gradients_for_codes_and_speakers() -> None:
    vectors, speakers = torch.randn(1, 9, 3, requires_grad=True), torch.randn(1, 2, requires_grad=True)
    model = F0Predictor(3, 2, 8)
    model.loss(vectors, speakers, torch.full((1, 9), 120.0)).backward()
    assert vectors.grad is None and speakers.grad is None
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_padding_does_not_change_a_contour() -> None:
    torch.manual_seed(0)
    model, vectors, speaker = F0Predictor(3, 2, 8).eval(), torch.randn(1, 30, 3), torch.randn(1, 2)
    with torch.no_grad():
        padded = model(vectors, speaker, torch.tensor([12]))[..., :12]
        assert torch.allclose(padded, model(vectors[:, :12], speaker), atol=1e-5)


@pytest.mark.parametrize("hop", [64, 160, 320, 640, 96])
def test_frames_are_interpolated_between_voiced_codes(hop: int) -> None:
    codes = np.array([0, 100, 120, 0, 0, 200, 220, 240], np.float32)
    frames = f0_at_frame_rate(codes, hop)
    assert frames.shape == (-(-8 * hop // 160),) and frames.dtype == np.float32
    for f, hertz in enumerate(frames):
        place = (f + 0.5) * 160 / hop
        if codes[min(int(place), 7)] == 0:
            assert hertz == 0
        else:
            assert hertz == pytest.approx(
                np.interp(place - 0.5, [1, 2, 5, 6, 7], [100, 120, 200, 220, 240]), rel=1e-5
            )
    assert not f0_at_frame_rate(np.zeros(5, np.float32), hop).any()


def test_the_predicted_contour_has_the_mean_f0_of_the_speaker() -> None:
    wavenet = dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True)
    source = SourceFilterConfig(filter_order=4, num_harmonics=3, channels=8)
    model = SpeechVQ(speech_config(wavenet=wavenet, source_filter=source), SPEAKERS).eval()
    assert model.decoder.f0_predictor is not None
    model.decoder.f0_predictor.f0_head.bias.data[1] = 3.0
    model.speaker_f0.fill_(133.0)
    contour = model.predict_f0(np.arange(40) % model.config.quantizer.num_codes, SPEAKERS[1])
    assert mean_f0(contour) == pytest.approx(133.0, rel=1e-3)
