"""VIMCO: its gradient is unbiased, by enumeration of all samples, and its bound is correct."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from speechvq.config.images import AutoencoderConfig, ImageVimcoConfig
from speechvq.images import vimco
from speechvq.images.vimco import ImageVimco, leave_one_out, log_mean_weight, vimco_weights

K = 3


def toy(seed: int) -> tuple[Tensor, Tensor]:
    """A model of one latent: learned logits of q (K,) and log p(x, z) (K,)."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(  # type: ignore[return-value]
        torch.randn(K, dtype=torch.float64, generator=generator).requires_grad_() for _ in range(2)
    )


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_gradient_is_unbiased(samples: int, seed: int) -> None:
    """The mean of the estimator over all K^S samples is the gradient of the expected bound."""
    logits, joint = toy(seed)
    expected_bound, expected_surrogate = torch.zeros(()), torch.zeros(())
    for draw in itertools.product(range(K), repeat=samples):
        log_q = logits.log_softmax(0)[list(draw)][None]
        log_weights = joint[list(draw)][None] - log_q
        chance = log_q.sum().exp()
        expected_bound = expected_bound + chance * log_mean_weight(log_weights)[0]
        signal, share = vimco_weights(log_weights)
        surrogate = (signal * log_q + share * log_weights).sum()
        expected_surrogate = expected_surrogate + chance.detach() * surrogate
    expected = torch.autograd.grad(expected_bound, [logits, joint], retain_graph=True)
    got = torch.autograd.grad(expected_surrogate, [logits, joint])
    for ours, exact in zip(got, expected):
        torch.testing.assert_close(ours, exact, rtol=1e-9, atol=1e-12)


def test_leave_one_out_equals_loops() -> None:
    weights = torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 9
    for b, s in itertools.product(range(2), range(5)):
        others = [float(w) for i, w in enumerate(weights[b]) if i != s]
        mean = sum(others) / 4
        expected = math.log(sum(math.exp(w) for w in [*others, mean]) / 5)
        assert float(leave_one_out(weights)[b, s]) == pytest.approx(expected, rel=1e-12)


def test_more_samples_tighten_the_bound() -> None:
    """E[bound] rises with S towards log p(x); never above it."""
    logits, joint = toy(3)
    log_q, marginal = logits.log_softmax(0).detach(), float(joint.detach().logsumexp(0))
    means = []
    for samples in (1, 2, 4):
        draws = [list(draw) for draw in itertools.product(range(K), repeat=samples)]
        chances = torch.stack([log_q[draw].sum().exp() for draw in draws])
        bounds = torch.stack([log_mean_weight((joint.detach()[d] - log_q[d])[None])[0] for d in draws])
        means.append(float((chances * bounds).sum()))
    assert means[0] < means[1] < means[2] <= marginal


def tiny(samples: int, **changes: int) -> ImageVimco:
    torch.manual_seed(0)
    sizes = AutoencoderConfig(size=8, blocks=1, channels=6, likelihood="logistic", mixtures=2)
    return ImageVimco(
        ImageVimcoConfig(
            autoencoder=sizes, num_codes=5, dim=3, codes_per_position=2, samples=samples, **changes
        )
    )


PIXELS = torch.randint(0, 256, (3, 3, 8, 8), generator=torch.Generator().manual_seed(4), dtype=torch.uint8)


@torch.no_grad()
def test_one_sample_is_the_evidence_lower_bound() -> None:
    bound = tiny(1).elbo(PIXELS)
    torch.testing.assert_close(bound.total, bound.reconstruction + bound.latents)


@torch.no_grad()
def test_the_bound_of_several_samples_is_at_most_the_sum_of_its_terms() -> None:
    bound = tiny(20).elbo(PIXELS)
    assert (bound.total < bound.reconstruction + bound.latents).all()


@torch.no_grad()
def test_a_uniform_posterior_and_decoder_need_eight_bits() -> None:
    torch.manual_seed(0)
    config = ImageVimcoConfig(
        autoencoder=AutoencoderConfig(size=8, channels=4), num_codes=5, dim=3, codes_per_position=2
    )
    model = ImageVimco(config)
    for parameter in [*model.encoder.project.parameters(), *model.decoder.up[-1].parameters()]:
        parameter.zero_()
    bound = model.elbo(PIXELS)
    assert (bound.total / (192 * math.log(2))).tolist() == pytest.approx([8.0] * 3, abs=1e-5)
    assert bound.latents.tolist() == pytest.approx([0.0] * 3, abs=1e-4)


def test_skipping_negligible_samples_changes_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does decoding in batches; the gradient of the total equals the negative estimator."""
    model, gradients = tiny(6), []
    for negligible, at_once in ((vimco.NEGLIGIBLE_WEIGHT, 32), (0.0, 5)):
        monkeypatch.setattr(vimco, "NEGLIGIBLE_WEIGHT", negligible)
        monkeypatch.setattr(vimco, "BATCH_CPU", at_once)
        gradients.append(gradient_of(model))
    for one, other in zip(*gradients):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)


def gradient_of(model: ImageVimco) -> list[Tensor]:
    torch.manual_seed(7)
    model.zero_grad()
    model(PIXELS).total.backward()
    return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


def test_the_gradient_of_the_model_equals_the_estimator() -> None:
    model = tiny(4)
    got = gradient_of(model)
    torch.manual_seed(7)
    model.zero_grad()
    log_posterior = model._log_posterior(PIXELS)
    codes, log_q = model._draw(log_posterior, 4)
    log_weights = -model._nll(PIXELS, codes) - codes[0, 0].numel() * math.log(5) - log_q
    signal, share = vimco_weights(log_weights)
    (-(signal * log_q + share * log_weights).sum() / PIXELS.numel()).backward()
    for ours, written_out in zip(got, [p.grad for p in model.parameters()]):
        torch.testing.assert_close(ours, written_out, rtol=1e-4, atol=1e-7)


@torch.no_grad()
def test_codes_are_drawn_from_q() -> None:
    """Frequencies over many samples, and log q of each."""
    model = tiny(2000)
    log_posterior = model._log_posterior(PIXELS[:1])
    codes, log_q = model._draw(log_posterior, 2000)
    assert codes.shape == (1, 2000, 2, 2, 2)
    shares = torch.stack([(codes[0] == k).float().mean(0) for k in range(5)], -1)
    torch.testing.assert_close(shares, log_posterior[0].exp(), atol=0.05, rtol=0)
    by_hand = log_posterior[0].gather(-1, codes[0, 3][..., None]).sum()
    assert float(log_q[0, 3]) == pytest.approx(float(by_hand), rel=1e-5)


def test_lookup_uses_the_codebook_of_each_position() -> None:
    model = tiny(1)
    codes = torch.tensor([[1, 4], [0, 2]])
    expected = torch.stack(
        [torch.stack([model.codebook[g, code] for g, code in enumerate(row)]) for row in codes]
    )
    assert torch.equal(model.lookup(codes), expected)
