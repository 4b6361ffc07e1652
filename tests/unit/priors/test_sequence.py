"""Priors over code strings: causal, exact in segments of any length, and right by loops."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.tiny_prior import CODES, CONDITIONED, CONFIGS, WAVENET, prior_of
from speechvq.priors.sequence.dilated import DilatedStack
from speechvq.priors.sequence.prior import SequencePrior

SPEAKER_INDEX = torch.tensor([0, 1, 0])


def strings(length: int = 20, seed: int = 0) -> Tensor:
    return torch.randint(CODES, (3, length), generator=torch.Generator().manual_seed(seed))


def parallel(prior: SequencePrior, codes: Tensor) -> Tensor:
    return prior.predict(codes, prior.initial_state(len(codes)), SPEAKER_INDEX)[0]


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_a_code_affects_only_later_predictions(name: str) -> None:
    prior, codes = prior_of(CONFIGS[name]), strings()
    for place in (0, 7, 19):
        changed = codes.clone()
        changed[:, place] = (codes[:, place] + 1) % CODES
        same = (parallel(prior, codes) == parallel(prior, changed)).all(dim=2).all(dim=0)
        assert same[: place + 1].all() and not same[place + 1 : place + 2].any()


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("segments", [(1,) * 20, (7, 1, 12), (19, 1), (20,)])
@torch.no_grad()
def test_segments_give_the_logits_of_the_whole_sequence(name: str, segments: tuple[int, ...]) -> None:
    prior, codes = prior_of(CONFIGS[name]), strings()
    state, found = prior.initial_state(3), []
    for piece in codes.split(list(segments), dim=1):
        logits, state = prior.predict(piece, state, SPEAKER_INDEX)
        found.append(logits)
    assert torch.allclose(torch.cat(found, dim=1), parallel(prior, codes), atol=1e-5)


@torch.no_grad()
def test_the_receptive_field_equals_its_formula() -> None:
    prior, codes = prior_of(WAVENET), strings(40)
    assert isinstance(prior.network, DilatedStack) and prior.network.receptive_field == 1 + 2 * (1 + 2 + 4)
    changed = codes.clone()
    changed[:, 5] = (codes[:, 5] + 1) % CODES
    moved = (
        (parallel(prior, codes) != parallel(prior, changed))
        .any(dim=2)
        .all(dim=0)
        .nonzero()
        .flatten()
        .tolist()
    )
    assert (moved[0], moved[-1]) == (6, 5 + prior.network.receptive_field)


def by_loops(weights: dict[str, np.ndarray], codes: list[int], speaker: int | None) -> np.ndarray:
    """Logits of the tiny WaveNet for one sequence by loops over codes and layers, float64, (N, K)."""
    past: list[list[np.ndarray]] = [[] for _ in range(6)]
    rows = []
    for n in range(len(codes)):
        x, total = weights["code_embedding.weight"][codes[n - 1] if n else CODES], np.zeros(8)
        for i in range(6):
            past[i].append(x)
            dilation, name = 2 ** (i % 3), f"network.layers.{i}."
            before = past[i][n - dilation] if n >= dilation else np.zeros(6)
            a = weights[name + "gate.weight"] @ np.concatenate([before, x]) + weights[name + "gate.bias"]
            if speaker is not None:
                a = (
                    a
                    + weights["network.speaker_proj.weight"][12 * i : 12 * i + 12]
                    @ weights["speaker_embedding.weight"][speaker]
                )
            z = np.tanh(a[:6]) / (1 + np.exp(-a[6:]))
            out = weights[name + "out.weight"] @ z + weights[name + "out.bias"]
            x, total = x + out[:6], total + out[6:]
        hidden = (
            weights["network.hidden.weight"] @ (total / math.sqrt(6)).clip(0) + weights["network.hidden.bias"]
        )
        rows.append(weights["to_logits.weight"] @ hidden.clip(0) + weights["to_logits.bias"])
    return np.stack(rows)


@pytest.mark.parametrize("config", [WAVENET, CONDITIONED])
@torch.no_grad()
def test_the_wavenet_equals_its_formula(config: object) -> None:
    prior, codes = prior_of(config), strings()  # type: ignore[arg-type]
    weights = {name: tensor.double().numpy() for name, tensor in prior.state_dict().items()}
    for row, voice, logits in zip(codes.tolist(), SPEAKER_INDEX.tolist(), parallel(prior, codes)):
        expected = by_loops(weights, row, voice if prior.speakers else None)
        assert np.allclose(logits.numpy(), expected, atol=1e-5)


@torch.no_grad()
def test_only_a_prior_with_speakers_depends_on_the_speaker() -> None:
    codes = strings()
    for name, config in CONFIGS.items():
        prior = prior_of(config)
        other = prior.predict(codes, prior.initial_state(3), 1 - SPEAKER_INDEX)[0]
        assert torch.equal(parallel(prior, codes), other) == ("conditioned" not in name)


def test_the_loss_is_the_mean_over_valid_codes() -> None:
    prior, codes = prior_of(CONDITIONED), strings()
    before, length = torch.tensor([CODES, 3, CODES]), torch.tensor([20, 7, 1])
    losses = prior(codes, before, SPEAKER_INDEX, length)
    summed = 0.0
    for row, (first, own) in enumerate(zip(before.tolist(), length.tolist())):
        history = codes[row : row + 1, :own]
        state = prior.initial_state(1)
        if first != CODES:
            state = state._replace(prev_code=torch.tensor([[first]]))
        logits, _ = prior.predict(history, state, SPEAKER_INDEX[row : row + 1])
        summed -= float(logits.detach().log_softmax(-1).gather(2, history[..., None]).sum())
    assert float(losses.nats) == pytest.approx(summed / 28, rel=1e-5) and not losses.nats.requires_grad
    changed = codes.clone()
    changed[1, 7:] = 0
    assert torch.equal(prior(changed, before, SPEAKER_INDEX, length).nats, losses.nats)
    losses.total.backward()
    assert all(parameter.grad is not None for parameter in prior.parameters())
