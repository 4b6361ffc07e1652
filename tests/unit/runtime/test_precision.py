"""Detection of bfloat16 instructions."""

import itertools
from pathlib import Path

import pytest
import torch

from helpers.tiny import noise, speech_model
from speechvq.config import TrainConfig
from speechvq.runtime.logging import logger
from speechvq.runtime.precision import supports_bf16
from speechvq.training import loop
from speechvq.training.stage import main_stage


@pytest.mark.parametrize(
    ("capabilities", "there"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"neon": True, "bf16": True}, True),
        ({"neon": True, "bf16": False}, False),
        ({"vsx": True}, True),
    ],
)
def test_processors_with_and_without_bf16(
    capabilities: dict[str, bool], there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert supports_bf16(torch.device("cpu")) is there


def test_an_older_torch_gives_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert supports_bf16(torch.device("cpu"))


@pytest.mark.parametrize(
    "precision, there, warned", [("bf16", False, True), ("bf16", True, False), ("fp32", False, False)]
)
def test_training_warns_about_emulated_bf16(
    precision: str,
    there: bool,
    warned: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(loop, "supports_bf16", lambda device: there)
    monkeypatch.setattr(logger, "propagate", True)  # for caplog
    model = speech_model().train()
    batch = (noise(2, 64 * 8), torch.tensor([0, 1]))
    config = TrainConfig(steps=1, precision=precision, evaluate_every=10)  # type: ignore[arg-type]
    stage = main_stage(model, lambda step: itertools.repeat(batch), lambda model: {}, config)
    loop.fit(model, (stage,), tmp_path, config)
    assert ("warning: this device only emulates bfloat16" in caplog.text) is warned
