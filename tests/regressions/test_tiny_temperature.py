"""At temperatures near 0, the kernels multiplied 0 by infinity and always sampled the last bin."""

import pytest
import torch

from speechvq.config import WaveNetConfig
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.sampler import sample


@pytest.mark.parametrize("temperature", [1e-30, 1e-39, 1e-300])
def test_a_tiny_temperature_samples_the_most_likely_bin(temperature: float) -> None:
    torch.manual_seed(0)
    model = WaveNet(WaveNetConfig(1, 3, 8, 8, 8, 8, 4, 32), 4, num_speakers=1).eval()
    vectors, speaker = torch.randn(1, 6, 4), torch.zeros(1, dtype=torch.long)
    uniforms = 0.01 + 0.98 * torch.rand(1, 48, dtype=torch.float64)
    most_likely, sampled = (
        sample(model, vectors, speaker, uniforms, temperature=each, engine="numba")
        for each in (0.0, temperature)
    )
    assert torch.equal(sampled, most_likely)
