"""DistillMOS by a stub: level-normalized input, no score for what is too short, and the extra by name."""

import sys
import types

import numpy as np
import pytest
import torch

from speechvq.audio.waveform import TARGET_RMS
from speechvq.errors import UserError
from speechvq.judges.distillmos import DistillMosModel


def test_the_score_does_not_depend_on_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    class ConvTransformerSQAModel(torch.nn.Module):
        def forward(self, wave: torch.Tensor) -> torch.Tensor:
            return wave.square().mean(-1).sqrt()

    stub = types.ModuleType("distillmos")
    stub.ConvTransformerSQAModel = ConvTransformerSQAModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distillmos", stub)
    model, wave = DistillMosModel(), 0.01 * np.random.default_rng(0).standard_normal(4000)
    assert model.overall_score(wave) == pytest.approx(TARGET_RMS, rel=1e-4)
    assert model.overall_score(9 * wave) == pytest.approx(model.overall_score(wave))
    assert np.isnan(model.overall_score(wave[:399])) and np.isnan(model.overall_score(wave[:0]))


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distillmos", None)
    with pytest.raises(UserError, match=r"pip install 'speechvq\[distillmos\]'"):
        DistillMosModel()
