"""After a resume in channels_last, fused Adam paired weights with the moments of other weights.

Fused Adam works in memory order, and the moments of a checkpoint were in the default memory order.
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
    state.step += 1


def test_restored_moments_have_the_memory_format_of_their_weights(tmp_path: Path) -> None:
    uninterrupted, resumed = state_of(0), state_of(1)
    update(uninterrupted)
    load_checkpoint(save_checkpoint(tmp_path, uninterrupted, keep=1), resumed)
    for state in (uninterrupted, resumed):
        update(state)
    for one, other in zip(uninterrupted.model.parameters(), resumed.model.parameters()):
        assert torch.equal(one, other)
