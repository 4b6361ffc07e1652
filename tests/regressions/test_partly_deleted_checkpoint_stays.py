"""Killed between removing the marker of an old checkpoint and the rest of it: the folder stayed for ever."""

from pathlib import Path

import torch

from helpers.tiny import speech_model
from speechvq.training.checkpoint import MARKER, TrainingState, list_checkpoints, save_checkpoint


def test_a_save_removes_checkpoints_without_a_marker(tmp_path: Path) -> None:
    model = speech_model()
    state = TrainingState(model, torch.optim.Adam(model.parameters()), None)
    for state.step in (1, 2):
        last = save_checkpoint(tmp_path, state, keep=2)
    (last.with_name("stage_0_step_1") / MARKER).unlink()  # what the killed process had done
    (last.parent / "notes").mkdir()
    state.step = 3
    save_checkpoint(tmp_path, state, keep=2)
    assert [folder.name for folder in list_checkpoints(tmp_path)] == ["stage_0_step_2", "stage_0_step_3"]
    names = sorted(folder.name for folder in last.parent.iterdir())
    assert names == ["notes", "stage_0_step_2", "stage_0_step_3"]
