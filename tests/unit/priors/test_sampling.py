"""Sampling code sequences: distribution, seeds, prompts and constant memory."""

import numpy as np
import pytest
import torch

from helpers.reference import sample_by_inversion
from helpers.tiny_prior import CODES, CONDITIONED, CONFIGS, WAVENET, prior_of, random_walk
from speechvq import categorical
from speechvq.priors.sequence.prior import PriorState
from speechvq.priors.sequence.sampling import code_nll, sample_codes
from speechvq.speech.sampling import sampler


@pytest.mark.parametrize(
    ("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.6), (0.0, 1.0), (2.0, 1e-9)]
)
def test_draws_equal_a_loop(temperature: float, top_p: float) -> None:
    logits = 2 * torch.randn(200, CODES, generator=torch.Generator().manual_seed(0))
    uniforms = torch.rand(200, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn = categorical.sample_categorical(logits, uniforms, temperature, top_p)
    assert torch.equal(drawn, sampler.sample_categorical(logits, uniforms, temperature, top_p))
    if temperature:
        rows = zip(logits.double().numpy(), uniforms.tolist())
        assert drawn.tolist() == [
            sample_by_inversion(row, uniform, temperature, top_p) for row, uniform in rows
        ]


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_sampling_uses_the_logits_of_the_parallel_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare the logits of every step; a short segment makes the prompt cross its boundaries."""
    monkeypatch.setattr("speechvq.priors.sequence.prior.SEGMENT", 7)
    seen = []

    def keep(logits: torch.Tensor, *rest: object) -> torch.Tensor:
        seen.append(logits)
        return categorical.sample_categorical(logits, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("speechvq.priors.sequence.prior.sample_categorical", keep)
    prior, prompt = prior_of(CONFIGS[name]), random_walk(17, 3)
    codes = sample_codes(prior, 30, [0, 1, 1], prompt=prompt, seed=5)
    whole = torch.from_numpy(np.concatenate([np.tile(prompt, (3, 1)), codes], axis=1))
    logits, _ = prior.predict(whole, prior.initial_state(3), torch.tensor([0, 1, 1]))
    assert torch.allclose(torch.stack(seen, dim=1), logits[:, 17:], atol=1e-4)


def test_a_sequence_depends_on_the_seed_and_its_index_alone() -> None:
    prior = prior_of(CONDITIONED)
    three, one = sample_codes(prior, 40, [0, 1, 0], seed=2), sample_codes(prior, 40, [0], seed=2)
    assert np.array_equal(three[:1], one) and not np.array_equal(three[0], three[2])
    assert np.array_equal(sample_codes(prior, 60, [0], seed=2)[:, :40], one)
    assert not np.array_equal(sample_codes(prior, 40, [0], seed=3), one)


def test_frequencies_of_samples_equal_the_probabilities() -> None:
    """First codes of many sequences against the model's distribution of the first code."""
    prior = prior_of(WAVENET)
    drawn = np.bincount(sample_codes(prior, 1, [0] * 4000)[:, 0], minlength=CODES) / 4000
    logits, _ = prior.predict_next(prior.initial_state(1), torch.tensor([0]))
    assert np.abs(drawn - logits.softmax(-1).detach().numpy()[0]).max() < 0.03


def test_empty_sequences_and_empty_prompts() -> None:
    prior = prior_of(WAVENET)
    assert sample_codes(prior, 0, [0, 0]).shape == (2, 0)
    empty = np.empty(0, np.int64)
    assert np.array_equal(sample_codes(prior, 5, [0], prompt=empty), sample_codes(prior, 5, [0]))
    assert [len(each) for each in code_nll(prior, [empty, random_walk(3, 0)], [0, 0])] == [0, 3]
    assert code_nll(prior, [], []) == []


@pytest.mark.parametrize("name", CONFIGS)
def test_the_nll_of_a_batch_equals_that_of_each_sequence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechvq.priors.sequence.prior.SEGMENT", 7)
    prior, strings = prior_of(CONFIGS[name]), [random_walk(n, n) for n in (20, 1, 33)]
    together = code_nll(prior, strings, [0, 1, 1])
    for string, speaker, nats in zip(strings, [0, 1, 1], together):
        codes = torch.from_numpy(string)[None]
        logits, _ = prior.predict(codes, prior.initial_state(1), torch.tensor([speaker]))
        expected = -logits.detach().log_softmax(-1).gather(2, codes[..., None])[0, :, 0].double().numpy()
        assert np.allclose(nats, expected, atol=1e-5) and nats.dtype == np.float64


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_memory_does_not_grow_with_the_length(name: str) -> None:
    """The size of the state, whole storages counted, stays constant after thirty codes."""
    prior, sizes = prior_of(CONFIGS[name]), []
    state, speaker = prior.initial_state(4), torch.tensor([0, 1, 0, 1])
    for n in range(300):
        _, memory = prior.predict_next(state, speaker)
        state = PriorState(torch.full((4, 1), n % CODES), memory)
        sizes.append(sum(tensor.untyped_storage().nbytes() for tensor in memory))
    assert len(set(sizes[30:])) == 1
    steps: list[int] = []
    sample_codes(prior, 3, [0], on_step=steps.append)
    assert steps == [1, 2, 3]
