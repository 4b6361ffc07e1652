"""Time jitter and input noise of the decoder in training."""

import pytest
import torch

from speechvq.speech.decoder.augmentation import add_input_noise, time_jitter

NUM_BINS = 256


def test_jitter_keeps_a_frame_or_takes_a_neighbor() -> None:
    torch.manual_seed(0)
    vectors = torch.arange(50.0).view(1, 50, 1).expand(40, 50, 3)
    moved = time_jitter(vectors, 0.12) - vectors
    assert set(moved.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert (moved == moved[..., :1]).all(), "all channels of a frame move together"
    assert (time_jitter(vectors, 1.0)[:, 0, 0] <= 1).all() and (
        time_jitter(vectors, 1.0)[:, -1, 0] >= 48
    ).all()


@pytest.mark.parametrize("probability", [0.0, 0.12, 0.5, 1.0])
def test_jitter_replaces_frames_with_the_given_probability_equally_by_both_neighbors(
    probability: float,
) -> None:
    torch.manual_seed(0)
    vectors = torch.arange(1_000.0).view(1, 1_000, 1).expand(100, -1, 1)
    moved = (time_jitter(vectors, probability) - vectors)[:, 1:-1]
    deviation = 4 * (probability * (1 - probability / 2) / moved.numel()) ** 0.5 + 1e-9
    assert float((moved == -1).double().mean()) == pytest.approx(probability / 2, abs=deviation)
    assert float((moved == 1).double().mean()) == pytest.approx(probability / 2, abs=deviation)


def test_gradients_flow_to_the_frame_that_jitter_takes() -> None:
    torch.manual_seed(1)
    vectors = torch.randn(2, 9, 3, requires_grad=True)
    time_jitter(vectors, 0.9).sum().backward()
    assert vectors.grad is not None
    assert float(vectors.grad.sum()) == 2 * 9 * 3 and (vectors.grad > 1).any()


def test_input_noise_keeps_the_classes_in_range() -> None:
    torch.manual_seed(0)
    bins = torch.randint(NUM_BINS, (50, 400))
    noisy = add_input_noise(bins, 8.0, NUM_BINS)
    assert noisy.dtype == torch.long and noisy.min() >= 0 and noisy.max() < NUM_BINS
    deviations = (noisy - bins).double().std(1)
    assert deviations.min() < 1.5 and 5 < deviations.max() < 9, "a random deviation for each crop"
    assert torch.equal(add_input_noise(bins, 0.0, NUM_BINS), bins)
