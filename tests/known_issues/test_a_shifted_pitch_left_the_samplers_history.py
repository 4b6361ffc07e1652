"""A contour shifted far down asked for samples no longer kept, and far up for samples not yet spoken."""

import pytest
import torch

from speechvq.config import WaveNetConfig
from speechvq.speech.sampler import sample
from speechvq.speech.wavenet import WaveNet

CONFIG = WaveNetConfig(1, 3, 8, 8, 8, 8, 4, 32, pitch=True, short_taps=4, long_taps=5)


@torch.no_grad()
@pytest.mark.parametrize("hertz", [15.0, 9_000.0])
def test_engines_agree_and_nothing_looks_ahead(hertz: float) -> None:
    torch.manual_seed(0)
    model = WaveNet(CONFIG, 4, speakers=1).eval()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    vectors, speaker, pitch = torch.randn(1, 20, 4), torch.zeros(1, dtype=torch.long), torch.full((1, 20), hertz)
    uniforms = torch.rand(1, 20 * 64, dtype=torch.float64)
    levels = sample(model, vectors, speaker, uniforms, pitch=pitch, engine="torch")
    assert torch.equal(levels, sample(model, vectors, speaker, uniforms, pitch=pitch, engine="numba"))
    other = levels.clone()
    other[:, 900:] = 31 - other[:, 900:]
    before, after = (model(each, vectors, speaker, pitch)[:, :901] for each in (levels, other))
    assert torch.equal(before, after)
