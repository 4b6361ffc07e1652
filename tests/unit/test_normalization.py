"""Batch renormalization: running statistics forward, batch normalization backward."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.normalization import EPS, BatchRenorm


def outputs(seed: int, scale: float = 3.0, shift: float = 2.0) -> Tensor:
    return shift + scale * torch.randn(4, 25, 6, generator=torch.Generator().manual_seed(seed))


def trained_module() -> BatchRenorm:
    """A module in training mode, with running statistics of several different batches."""
    module = BatchRenorm(6).train()
    for seed in range(5):
        module(outputs(seed, scale=2.0 + seed))
    return module


def test_the_first_batch_sets_the_running_statistics() -> None:
    module, x = BatchRenorm(6), outputs(0)
    y = module(x)
    assert torch.allclose(module.running_mean, x.mean((0, 1)), atol=1e-5)
    assert torch.allclose(module.running_var, x.var((0, 1), unbiased=False) + EPS, rtol=1e-5)
    assert torch.allclose(y.mean((0, 1)), torch.zeros(6), atol=1e-5)
    assert torch.allclose(y.var((0, 1), unbiased=False), torch.ones(6), atol=1e-4)


def test_running_statistics_follow_their_closed_form() -> None:
    module = BatchRenorm(6, momentum=0.2)
    batches = [outputs(seed, scale=1.0 + seed) for seed in range(4)]
    mean, variance = batches[0].double().mean((0, 1)), batches[0].double().var((0, 1), unbiased=False)
    module(batches[0])
    for x in batches[1:]:
        module(x)
        mean = 0.8 * mean + 0.2 * x.double().mean((0, 1))
        variance = 0.8 * variance + 0.2 * x.double().var((0, 1), unbiased=False)
    assert torch.allclose(module.running_mean.double(), mean, atol=1e-5)
    assert torch.allclose(module.running_var.double(), variance + EPS, rtol=1e-5)


def test_forward_uses_the_running_statistics_in_training_and_evaluation() -> None:
    module, x = trained_module(), outputs(9)
    trained = module(x)
    by_hand = (x.double() - module.running_mean.double()) / module.running_var.double().sqrt()
    assert torch.allclose(trained.double(), by_hand, atol=1e-5)
    assert torch.allclose(trained, module.eval()(x), atol=1e-5)


def test_backward_is_batch_normalization_times_the_ratio_of_deviations() -> None:
    module, x, weights = trained_module(), outputs(9).double().requires_grad_(), outputs(10)
    (ours,) = torch.autograd.grad((module(x) * weights).sum(), x)
    normalized = F.batch_norm(x.flatten(0, 1), None, None, training=True, eps=EPS).view_as(x)
    ratio = ((x.var((0, 1), unbiased=False) + EPS) / module.running_var).sqrt().detach()
    (theirs,) = torch.autograd.grad((normalized * weights * ratio).sum(), x)
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_common_gradients_are_removed() -> None:
    """A shift or a scaling of all vectors gets no gradient, so they cannot collapse to one point."""
    module, x = trained_module(), outputs(9).requires_grad_()
    (gradient,) = torch.autograd.grad(module(x).sum(), x)
    assert gradient.abs().max() < 1e-5
    (gradient,) = torch.autograd.grad((module(x) * outputs(10)).sum(), x)
    assert gradient.sum((0, 1)).abs().max() < 1e-4
    assert (gradient * (x - x.mean((0, 1)))).sum((0, 1)).abs().max() < 1e-2
    assert gradient.abs().max() > 0.1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_nonfinite_input_does_not_change_the_running_statistics(bad: float) -> None:
    for module in (BatchRenorm(6), trained_module()):
        before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        x = outputs(3)
        x[0, 0, 0] = bad
        module(x)
        assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
        assert module(outputs(4)).isfinite().all()


def test_evaluation_changes_no_buffer_and_a_constant_input_stays_finite() -> None:
    module = trained_module().eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    module(outputs(11))
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert BatchRenorm(6)(torch.ones(2, 3, 6)).isfinite().all()


def test_half_precision_is_normalized_in_float32() -> None:
    assert trained_module()(outputs(1).bfloat16()).dtype == torch.float32
