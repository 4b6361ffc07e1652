"""Likelihoods of pixels are normalized, equal loops in float64, and give 8 bits if uniform."""

import math

import numpy as np
import pytest
import torch

from speechvq.config.images import AutoencoderConfig
from speechvq.images.elbo import bits_per_dim
from speechvq.images.likelihood import Likelihood, LogisticLikelihood, SoftmaxLikelihood, build_likelihood

BOTH: list[Likelihood] = [SoftmaxLikelihood(), LogisticLikelihood(3)]
NAMES = ["softmax", "logistic"]


def outputs_of(kind: Likelihood, batch: int, side: int, scale: float = 1.0, seed: int = 0) -> torch.Tensor:
    noise = torch.randn(batch, kind.channels, side, side, generator=torch.Generator().manual_seed(seed))
    return scale * noise.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("kind", BOTH, ids=NAMES)
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_the_values_of_a_sub_pixel_sum_to_one(kind: Likelihood, scale: float) -> None:
    """256 images of one pixel that differ in one color sum to the probability of the two others."""
    outputs = outputs_of(kind, 1, 1, scale).expand(256, -1, -1, -1)
    for channel in range(3):
        pixels = torch.full((256, 3, 1, 1), 77, dtype=torch.uint8)
        pixels[:, channel, 0, 0] = torch.arange(256)
        others = pixels.clone()
        each = kind.nll(outputs, pixels).double()
        share = (-each).exp().sum()
        others[:, channel] = 0
        first = kind.nll(outputs[:1], others[:1]).double() - own_nats(kind, outputs[:1], channel, 0)
        assert float(share) == pytest.approx(float((-first).exp()), rel=2e-4)


def own_nats(kind: Likelihood, outputs: torch.Tensor, channel: int, value: int) -> torch.Tensor:
    """-log p of one sub-pixel of an image of one pixel, by the loops below."""
    return torch.tensor([-math.log(mass(kind, outputs[0, :, 0, 0].double().numpy(), channel, value))])


def mass(kind: Likelihood, outputs: np.ndarray, channel: int, value: int) -> float:
    """Probability of a value, in float64 and by definition: outputs (C,)."""
    if isinstance(kind, SoftmaxLikelihood):
        row = np.exp(outputs[256 * channel : 256 * (channel + 1)])
        return float(row[value] / row.sum())
    assert isinstance(kind, LogisticLikelihood)
    count, total = kind.mixtures, 0.0
    weights, means, scales = outputs.reshape(3, 3, count)[channel]
    for m in range(count):
        weight = math.exp(weights[m]) / sum(math.exp(w) for w in weights)
        mean = means[m] + (m + 0.5) / count * 2 - 1
        scale = math.exp(max(scales[m] - math.log(2 * count), -7))
        at = value / 127.5 - 1
        upper = 1.0 if value == 255 else logistic((at + 1 / 255 - mean) / scale)
        lower = 0.0 if value == 0 else logistic((at - 1 / 255 - mean) / scale)
        total += weight * (upper - lower)
    return total


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


@pytest.mark.parametrize("kind", BOTH, ids=NAMES)
def test_the_nll_of_an_image_is_the_sum_over_its_sub_pixels(kind: Likelihood) -> None:
    outputs = outputs_of(kind, 2, 3)
    pixels = torch.randint(
        0, 256, (2, 3, 3, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )
    pixels[0, :, 0, 0], pixels[0, :, 0, 1] = 0, 255
    expected = [
        -sum(
            math.log(mass(kind, outputs[b, :, i, j].double().numpy(), c, int(pixels[b, c, i, j])))
            for c in range(3)
            for i in range(3)
            for j in range(3)
        )
        for b in range(2)
    ]
    assert kind.nll(outputs, pixels).tolist() == pytest.approx(expected, rel=1e-4)


def test_a_uniform_model_needs_eight_bits_exactly() -> None:
    pixels = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    nats = SoftmaxLikelihood().nll(torch.zeros(4, 768, 8, 8), pixels)
    assert bits_per_dim(nats, 192).tolist() == pytest.approx([8.0] * 4, abs=1e-5)


def test_the_probabilities_of_two_sub_pixels_sum_to_one() -> None:
    """All pairs of values of two red sub-pixels; the others have probability 1."""
    outputs = torch.zeros(1, 768, 1, 2)
    outputs[0, 256:512:256], outputs[0, 512] = 60.0, 60.0  # green and blue are 0 for sure
    outputs[0, :256] = torch.randn(256, 1, 2, generator=torch.Generator().manual_seed(0))
    pixels = torch.zeros(65_536, 3, 1, 2, dtype=torch.uint8)
    pixels[:, 0, 0] = torch.cartesian_prod(torch.arange(256), torch.arange(256))
    total = sum(
        float((-SoftmaxLikelihood().nll(outputs.expand(len(some), -1, -1, -1), some)).double().exp().sum())
        for some in pixels.split(8_192)
    )
    assert total == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("kind", BOTH, ids=NAMES)
def test_the_mean_image(kind: Likelihood) -> None:
    """Equals the sum over all values; the logistic one neglects the truncated tails."""
    outputs = outputs_of(kind, 1, 1, 0.3)
    vector = outputs[0, :, 0, 0].double().numpy()
    expected = [sum(v * mass(kind, vector, channel, v) for v in range(256)) for channel in range(3)]
    tolerance = 0.01 if isinstance(kind, SoftmaxLikelihood) else 12
    assert kind.mean_image(outputs).flatten().tolist() == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("value", [0, 1, 128, 254, 255])
def test_gradients_stay_finite_far_from_the_mean(value: int) -> None:
    """With components as narrow and as distant as the outputs allow."""
    outputs = (
        torch.tensor([0.0, 40.0, -40.0, 0.0, -60.0, 90.0, -30.0, 20.0, -80.0]).repeat(3).view(1, 27, 1, 1)
    )
    outputs = outputs.clone().requires_grad_()
    nats = LogisticLikelihood(3).nll(outputs, torch.full((1, 3, 1, 1), value, dtype=torch.uint8))
    nats.sum().backward()
    assert nats.isfinite().all() and outputs.grad is not None and outputs.grad.isfinite().all()


def test_the_configuration_selects_the_likelihood() -> None:
    assert build_likelihood(AutoencoderConfig()).channels == 768
    assert build_likelihood(AutoencoderConfig(likelihood="logistic", mixtures=4)).channels == 36
