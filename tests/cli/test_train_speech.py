"""The stages of a speech run: codebook, source and filter, main. What learns in each; resuming in each."""

import dataclasses
import json
import logging
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.tiny import WAVENET, run_config, speech_config, write_config
from speechvq import train
from speechvq.config import EncoderConfig, SourceFilterConfig, SpeechRun
from speechvq.errors import UserError
from speechvq.io.tensors import read_tensors
from speechvq.speech.model import SpeechVQ
from speechvq.training import loop
from speechvq.training.checkpoint import TrainingState, list_checkpoints
from speechvq.training.loop import fit
from speechvq.training.task import run_training
from speechvq.training.tasks import speech

HOP = 32


def config(
    corpus: Path, *, encoder_lr_scale: float = 1.0, order: int = 4, encoder: bool = True, **changes: Any
) -> SpeechRun:
    """A tiny model with a spectrogram, harmonics and a filter."""
    plain = run_config(corpus)
    model = speech_config(
        "ema",
        encoder=EncoderConfig((HOP,), 8, mel_bands=20),
        wavenet=dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True),
        source_filter=SourceFilterConfig(
            filter_order=order,
            num_harmonics=order and 3,
            channels=8,
            pretrain_steps=3,
            pretrain_batch=2,
            pretrain_encoder=encoder,
        ),
        **changes,
    )
    train = dataclasses.replace(
        plain.train, encoder_lr_scale=encoder_lr_scale, steps=2, save_every=1, evaluate_every=2
    )
    return dataclasses.replace(
        plain, model=model, train=train, data=dataclasses.replace(plain.data, crop=1_600)
    )


def after_pretraining(run: SpeechRun, folder: Path) -> SpeechVQ:
    """The model before the main stage."""
    task = speech.build_task(run, torch.device("cpu"))
    fit(task.model, task.stages[:-1], folder, run.train)
    assert isinstance(task.model, SpeechVQ)
    return task.model


def test_the_codebook_is_initialized_by_kmeans_of_the_encoder_outputs(corpus: Path, tmp_path: Path) -> None:
    run = config(corpus, order=0)
    fresh = speech.build_task(run, torch.device("cpu")).model
    model = after_pretraining(run, tmp_path / "one")
    assert isinstance(fresh, SpeechVQ) and not fresh.quantizer.initialized and model.quantizer.initialized
    bias = "encoder.project.bias"
    assert torch.equal(model.get_parameter(bias), fresh.get_parameter(bias)), "nothing has learned yet"
    again = after_pretraining(run, tmp_path / "two")
    assert torch.equal(again.quantizer.codebook, model.quantizer.codebook), "seeded"


@pytest.mark.parametrize("encoder", [False, True])
def test_source_and_filter_learn_before_the_wavenet(corpus: Path, tmp_path: Path, encoder: bool) -> None:
    run = config(corpus, encoder=encoder)
    fresh = speech.build_task(run, torch.device("cpu")).model
    trained = after_pretraining(run, tmp_path / "one")
    moved = {
        name.split(".")[0] + "." + name.split(".")[1]
        for name, weight in trained.named_parameters()
        if not torch.equal(weight, fresh.get_parameter(name))
    }
    assert "decoder.source_filter" in moved
    assert any(name.startswith("encoder.") for name in moved) == encoder
    unmoved = ("decoder.wavenet.layers.0.gate", "decoder.wavenet.hidden.weight", "decoder.wavenet.embedding")
    assert all(torch.equal(trained.get_parameter(name), fresh.get_parameter(name)) for name in unmoved)
    assert trained.training and trained.encoder.training == trained.quantizer.training == encoder
    again = after_pretraining(run, tmp_path / "two")
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), trained.state_dict().values()))


def test_the_encoder_can_join_the_pretraining_later(corpus: Path, tmp_path: Path) -> None:
    run = config(corpus)
    settings = dataclasses.replace(run.model.source_filter, pretrain_encoder_from=2)
    run = dataclasses.replace(run, model=dataclasses.replace(run.model, source_filter=settings))
    task = speech.build_task(run, torch.device("cpu"))
    stages = [(stage.name, stage.steps) for stage in task.stages]
    assert stages[1:3] == [("source_filter", 2), ("source_filter_and_encoder", 1)]
    fit(task.model, task.stages[:1], tmp_path, run.train)
    before = {name: tensor.detach().clone() for name, tensor in task.model.named_parameters()}
    for count, learns in ((2, False), (3, True)):
        fit(task.model, task.stages[:count], tmp_path, run.train)
        after = dict(task.model.named_parameters())
        moved = {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])}
        assert ("encoder" in moved) == learns and "decoder" in moved
    with pytest.raises(UserError, match="pretrain_encoder_from"):
        dataclasses.replace(settings, pretrain_encoder_from=3)


def test_earlier_stages_run_once_also_when_a_run_resumes(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []
    plain = speech.init_codebook

    def init_codebook(*arguments: Any) -> None:
        calls.append("initialized")
        plain(*arguments)

    monkeypatch.setattr(speech, "init_codebook", init_codebook)
    caplog.set_level(logging.INFO, "speechvq")
    run = config(corpus)
    assert run_training(speech.build_task(run, torch.device("cpu")), tmp_path, run.train) == 0
    longer = dataclasses.replace(run.train, steps=3)
    extended = dataclasses.replace(run, train=longer)
    assert run_training(speech.build_task(extended, torch.device("cpu")), tmp_path, longer) == 0
    assert calls == ["initialized"] and "resuming from" in caplog.text
    assert caplog.text.count("source_filter, step 3/3") == 1


@pytest.mark.parametrize("scale", [0.0, 0.5])
def test_the_main_stage_leaves_the_conditioning_as_it_is(corpus: Path, tmp_path: Path, scale: float) -> None:
    """Source, filter and speaker embeddings; and encoder and codebook at an encoder_lr_scale of 0."""
    run = config(corpus, encoder_lr_scale=scale)
    task = speech.build_task(run, torch.device("cpu"))
    fit(task.model, task.stages[:-1], tmp_path / "pretraining", run.train)
    before = {name: tensor.clone() for name, tensor in task.model.state_dict().items()}
    run_training(task._replace(stages=task.stages[-1:]), tmp_path / "main", run.train)
    for name, tensor in task.model.state_dict().items():
        if name.startswith(("decoder.source_filter.", "decoder.wavenet.conditioning.speaker")):
            assert torch.equal(tensor, before[name]), name
        if name.startswith(("encoder.", "quantizer.")) and scale == 0:
            assert torch.equal(tensor, before[name]), name
    moved = ("decoder.wavenet.hidden.weight", *(["encoder.project.weight"] if scale else []))
    assert not any(torch.equal(task.model.get_parameter(name), before[name]) for name in moved)


# -- resuming


def contents(run: Path) -> dict[str, torch.Tensor]:
    """Every tensor of the newest checkpoint."""
    folder = list_checkpoints(run)[-1]
    return {
        f"{path.stem}/{name}": tensor
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in read_tensors(path).items()
    }


def metrics(run: Path) -> list[dict[str, object]]:
    """The lines of the log without the speed of the machine."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "steps_per_second"} for line in lines]


def assert_same_end(one: Path, other: Path) -> None:
    first, second = contents(one), contents(other)
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    assert metrics(one) == metrics(other)


RANDOM: dict[str, Any] = {"jitter": 0.3, "decoder_segment_length": 640}  # stages that draw random numbers


@pytest.fixture(scope="module")
def unbroken(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[SpeechRun, Path]:
    """Settings and directory of a run that nothing stopped."""
    run = config(corpus, **RANDOM)
    folder = tmp_path_factory.mktemp("unbroken")
    assert train.main(arguments(folder, run)) == 0
    return run, folder / "run"


def arguments(folder: Path, run: SpeechRun, name: str = "run") -> list[str]:
    return ["--config", str(write_config(folder, run)), "--out", str(folder / name), "--device", "cpu"]


def test_every_stage_is_in_the_metrics_log(unbroken: tuple[SpeechRun, Path]) -> None:
    lines = metrics(unbroken[1])
    assert [(line["stage"], line["step"]) for line in lines] == [
        ("source_filter", 3),
        ("main", 2),
        ("main", 2),
    ]
    assert set(lines[0]) == {"stage", "step", "loss", "gradient_norm", "learning_rate"}
    assert "nats" in lines[1] and "heldout_bits" in lines[2]


def stop_at(monkeypatch: pytest.MonkeyPatch, stage: int, step: int) -> None:
    """Send SIGTERM during an update of a stage, or while the codebook is initialized."""
    plain = loop.update

    def update(state: TrainingState, *rest: Any) -> Any:
        if (state.stage, state.step) == (stage, step):
            signal.raise_signal(signal.SIGTERM)
        return plain(state, *rest)

    monkeypatch.setattr(loop, "update", update)


@pytest.mark.parametrize("stops", [[(1, 0)], [(1, 1)], [(1, 2)], [(2, 0)], [(1, 0), (1, 1), (1, 2), (2, 0)]])
def test_a_run_stopped_in_any_stage_ends_like_an_unbroken_one(
    unbroken: tuple[SpeechRun, Path],
    stops: list[tuple[int, int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    argv = arguments(tmp_path, unbroken[0])
    for stage, step in stops:
        with monkeypatch.context() as patch:
            stop_at(patch, stage, step)
            assert train.main(argv) == 128 + signal.SIGTERM
        newest = list_checkpoints(tmp_path / "run")[-1]
        assert newest.name == f"stage_{stage}_step_{step + 1}"
        argv = argv[-4:]  # resuming needs no --config
    assert train.main(argv) == 0
    assert_same_end(unbroken[1], tmp_path / "run")


def test_a_run_stopped_while_the_codebook_is_initialized_ends_like_an_unbroken_one(
    unbroken: tuple[SpeechRun, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = speech.init_codebook

    def stopped(*arguments: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        plain(*arguments)

    argv = arguments(tmp_path, unbroken[0])
    with monkeypatch.context() as patch:
        patch.setattr(speech, "init_codebook", stopped)
        assert train.main(argv) == 128 + signal.SIGINT
    assert train.main(argv) == 0
    assert_same_end(unbroken[1], tmp_path / "run")


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_run_killed_in_any_stage_ends_like_an_unbroken_one(
    unbroken: tuple[SpeechRun, Path], stage: int, tmp_path: Path
) -> None:
    """SIGKILL before anything is saved, with a checkpoint of an earlier stage, or within the stage."""
    argv = arguments(tmp_path, unbroken[0])
    child = os.fork()
    if child == 0:
        kill_in_stage(stage)
        train.main(argv)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    names = [folder.name for folder in list_checkpoints(tmp_path / "run")]
    assert (
        names
        == {
            0: [],
            1: ["stage_0_step_0", "stage_1_step_1"],
            2: ["stage_1_step_3", "stage_2_step_1"],
        }[stage]
    )
    assert train.main(argv) == 0
    assert_same_end(unbroken[1], tmp_path / "run")


def kill_in_stage(stage: int) -> None:
    """Kill this process at the second update of a stage, or while the codebook is initialized."""
    if stage == 0:
        speech.init_codebook = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    plain = loop.update

    def update(state: TrainingState, *rest: Any) -> Any:
        if (state.stage, state.step) == (stage, 1):
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(state, *rest)

    loop.update = update  # type: ignore[assignment]


def test_a_resumed_run_with_other_training_settings_is_warned_about(
    unbroken: tuple[SpeechRun, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(unbroken[1], tmp_path / "run")
    argv = ["--out", str(tmp_path / "run"), "--device", "cpu"]
    assert train.main([*argv, "--set", "train.steps=3", "--set", "train.save_every=7"]) == 0
    assert "warning" not in capsys.readouterr().err
    assert train.main([*argv, "--set", "train.learning_rate=0.5", "--set", "train.seed=3"]) == 0
    error = capsys.readouterr().err
    assert "train.learning_rate was 0.003, is now 0.5" in error and "train.seed was 0, is now 3" in error
    assert train.main(argv) == 0
    assert "other settings" not in capsys.readouterr().err, "the settings of the resumed run were kept"


def test_resuming_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["--out", str(tmp_path / "nothing")]) == 2
    assert "no run to resume here; give --config" in capsys.readouterr().err
