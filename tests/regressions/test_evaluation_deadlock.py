"""Only one process evaluates, but the quantizer summed the code usage over all processes: a deadlock."""

import pytest
import torch

from helpers.tiny import noise, speech_model
from speechvq.runtime import distributed


def test_evaluation_mode_calls_no_collective(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*_: object) -> None:
        raise AssertionError("a collective was called")

    model = speech_model()
    for name in ("all_reduce_sum", "differentiable_all_reduce", "all_gather_rows"):
        monkeypatch.setattr(distributed, name, call)
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    model(noise(2, 320), torch.tensor([0, 1]))
    with pytest.raises(AssertionError, match="was called"):
        model.train()(noise(2, 320), torch.tensor([0, 1]))
