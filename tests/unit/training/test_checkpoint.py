"""Checkpoints: complete or ignored, whole after disk errors, and one clear line for damage."""

import errno
import os
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from helpers.tiny import noise, speech_config, speech_model
from speechvq.errors import UserError
from speechvq.training import checkpoint as module
from speechvq.training.checkpoint import (
    MARKER,
    TrainingState,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
    stage_and_step,
)
from speechvq.training.ema import EMA


def trained(steps: int, seed: int = 0) -> TrainingState:
    """A tiny model after some steps, with every part of its state changed."""
    model = speech_model(speech_config("ema"), seed).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    ema = EMA(model, 0.9)
    state = TrainingState(model, optimizer, ema)
    for _ in range(steps):
        optimizer.zero_grad()
        model(noise(2, 160, state.step), torch.tensor([0, 1])).total.backward()
        optimizer.step()
        ema.update(model, state.step)
        state.step += 1
        state.interval_sums = {
            "steps": torch.tensor(float(state.step)).double(),
            "usage": torch.arange(8).double() / 3,
        }
    return state


def contents(state: TrainingState) -> dict[str, Tensor]:
    """Everything in a state by name."""
    assert state.ema is not None
    moments = state.optimizer.state_dict()["state"]
    return (
        {f"model/{name}": tensor.clone() for name, tensor in state.model.state_dict().items()}
        | {f"ema/{name}": tensor.clone() for name, tensor in state.ema.tensors.items()}
        | {f"moment/{n}/{key}": value.clone() for n, each in moments.items() for key, value in each.items()}
        | {f"window/{name}": tensor for name, tensor in state.interval_sums.items()}
        | {"step": torch.tensor(state.step)}
    )


def assert_equal(one: TrainingState, other: TrainingState) -> None:
    first, second = contents(one), contents(other)
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_loaded_checkpoint_equals_the_saved_state(tmp_path: Path) -> None:
    saved, fresh = trained(3), trained(0, seed=1)
    folder = save_checkpoint(tmp_path, saved, keep=2)
    assert names(folder) == [
        MARKER,
        "ema.safetensors",
        "model.safetensors",
        "optimizer.safetensors",
        "state.json",
    ]
    load_checkpoint(folder, fresh)
    assert_equal(saved, fresh)


def test_only_the_newest_checkpoints_are_kept_in_numeric_order(tmp_path: Path) -> None:
    state = trained(1)
    for step in (8, 9, 10, 11, 100):
        state.step = step
        save_checkpoint(tmp_path, state, keep=3)
    assert [folder.name for folder in list_checkpoints(tmp_path)] == [
        "stage_0_step_10",
        "stage_0_step_11",
        "stage_0_step_100",
    ]
    assert names(tmp_path / "checkpoints") == ["stage_0_step_10", "stage_0_step_100", "stage_0_step_11"]


def test_incomplete_and_unknown_folders_are_ignored(tmp_path: Path) -> None:
    state = trained(1)
    folder = save_checkpoint(tmp_path, state, keep=2)
    shutil.copytree(folder, folder.with_name("stage_0_step_7"))
    (folder.with_name("stage_0_step_7") / MARKER).unlink()
    shutil.copytree(folder, folder.with_name(".part-of-another-computer"))
    shutil.copytree(folder, folder.with_name("step_of_my_own"))
    assert list_checkpoints(tmp_path) == [folder]
    state.step = 7
    save_checkpoint(tmp_path, state, keep=2)
    assert names(tmp_path / "checkpoints") == [
        ".part-of-another-computer",
        "stage_0_step_1",
        "stage_0_step_7",
        "step_of_my_own",
    ]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("place", ["model", "ema", "optimizer", "state", "rename"])
def test_a_full_or_read_only_disk_leaves_the_previous_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, place: str
) -> None:
    state = trained(2)
    before = save_checkpoint(tmp_path, state, keep=2)
    state.step = 3

    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    real = os.replace

    def refuse_at_place(source: Path, target: Path) -> None:
        """Stands for the disk: fails when the chosen file is finished, or when the folder is."""
        if Path(target).stem == place or (place == "rename" and Path(target).name == "stage_0_step_3"):
            refuse()
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse_at_place)
        with pytest.raises(UserError, match=f"cannot be written.*{os.strerror(error)}.*space") as caught:
            save_checkpoint(tmp_path, state, keep=1)
    assert "\n" not in str(caught.value)
    assert names(tmp_path / "checkpoints") == ["stage_0_step_2"]
    fresh, state.step = trained(0), 2
    load_checkpoint(before, fresh)
    assert_equal(fresh, state)


@pytest.mark.parametrize("name", ["model", "ema", "optimizer"])
@pytest.mark.parametrize("harm", ["cut", "flip", "missing", "pickle", "other"])
def test_a_damaged_file_is_one_line_with_folder_and_remedy(tmp_path: Path, name: str, harm: str) -> None:
    folder = save_checkpoint(tmp_path, trained(2), keep=2)
    path = folder / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    if harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "flip":
        content[-5] ^= 1
        path.write_bytes(content)
    elif harm == "missing":
        path.unlink()
    elif harm == "pickle":
        path.write_bytes(b"\x80\x04\x95" + bytes(100))
    else:
        shutil.copy(folder / ("model.safetensors" if name == "optimizer" else "optimizer.safetensors"), path)
    fresh = trained(1, seed=3)
    before = contents(fresh)
    with pytest.raises(
        UserError, match="damaged checkpoint.*delete .*stage_0_step_2.*the checkpoint before"
    ) as caught:
        load_checkpoint(folder, fresh)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
    assert all(torch.equal(before[name], value) for name, value in contents(fresh).items()), (
        "nothing was changed"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"stage": 0, "step": "x", "interval_sums": {}}',
        '{"stage": 0, "steps": 1, "interval_sums": {}}',
        '{"step": 1, "interval_sums": {}}',
        '{"stage": 0, "step": 1, "interval_sums": 3}',
        '{"stage": 0, "step": 1}',
        '{"stage": 0, "step": 2, "interval_sums": {}}',
        '{"stage": 1, "step": 1, "interval_sums": {}}',
        "[" * 9999,
    ],
)
def test_a_damaged_state_file_is_refused(tmp_path: Path, text: str) -> None:
    folder = save_checkpoint(tmp_path, trained(1), keep=2)
    (folder / "state.json").write_text(text)
    with pytest.raises(UserError, match="damaged checkpoint"):
        load_checkpoint(folder, trained(1))


def test_checkpoints_are_ordered_by_stage_then_step(tmp_path: Path) -> None:
    state = trained(1)
    for stage, step in ((0, 0), (1, 5), (1, 20), (2, 3), (10, 1)):
        state.stage, state.step = stage, step
        save_checkpoint(tmp_path, state, keep=4)
    found = [folder.name for folder in list_checkpoints(tmp_path)]
    assert found == ["stage_1_step_5", "stage_1_step_20", "stage_2_step_3", "stage_10_step_1"]
    assert stage_and_step(list_checkpoints(tmp_path)[1], stages=11) == (1, 20)
    with pytest.raises(UserError, match="has no stage 10"):
        stage_and_step(list_checkpoints(tmp_path)[-1], stages=3)


def test_a_stage_without_average_has_no_file_of_it(tmp_path: Path) -> None:
    saved, fresh = trained(2), trained(0, seed=1)
    saved.ema = fresh.ema = None
    folder = save_checkpoint(tmp_path, saved, keep=2)
    assert not (folder / "ema.safetensors").exists()
    load_checkpoint(folder, fresh)
    assert all(map(torch.equal, fresh.model.state_dict().values(), saved.model.state_dict().values()))


def test_a_partly_deleted_checkpoint_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marker is deleted first, so the rest of the folder is incomplete."""
    state = trained(1)
    folder = save_checkpoint(tmp_path, state, keep=1)
    real = shutil.rmtree
    monkeypatch.setattr(
        shutil, "rmtree", lambda path, **kw: None if Path(path) == folder else real(path, **kw)
    )
    state.step = 2
    save_checkpoint(tmp_path, state, keep=1)
    assert folder.exists() and [each.name for each in list_checkpoints(tmp_path)] == ["stage_0_step_2"]


def test_moments_of_another_shape_are_refused(tmp_path: Path) -> None:
    state = trained(1)
    moments = module._optimizer_tensors(state)
    name = next(key for key, value in moments.items() if value.dim() == 2)
    with pytest.raises(ValueError, match="shape"):
        module._optimizer_state(state, moments | {name: torch.zeros(1, 1)}, 1)
