"""Fused Adam follows memory order: in channels_last, weights got each other's moments after a resume.

The moments of a checkpoint were in the default memory order.
"""

from pathlib import Path

import torch
from torch import nn

from speechvq.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from speechvq.training.ema import EMA


def state_of(seed: int) -> TrainingState:
    torch.manual_seed(seed)
    model = nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)
    return TrainingState(model, torch.optim.Adam(model.parameters(), lr=0.1, fused=True), EMA(model, 0.9))


def update(state: TrainingState) -> None:
    state.optimizer.zero_grad()
    state.model(torch.arange(48.0).view(1, 3, 4, 4)).square().sum().backward()
    state.optimizer.step()


def test_moments_lie_as_their_weights_do(tmp_path: Path) -> None:
    unbroken, resumed = state_of(0), state_of(1)
    update(unbroken)
    load_checkpoint(save_checkpoint(tmp_path, unbroken, keep=1), resumed)
    for state in (unbroken, resumed):
        update(state)
    for one, other in zip(unbroken.model.parameters(), resumed.model.parameters()):
        assert torch.equal(one, other)
