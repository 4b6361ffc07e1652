"""The training loop: an interrupted run ends like an unbroken one; errors are clear and harmless."""

import dataclasses
import json
import math
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from helpers.launcher import Launcher
from helpers.tiny import SPEAKERS, noise, run_config, speech_config, write_config
from speechvq import train
from speechvq.config import SpeechRun, TrainConfig
from speechvq.data.crops import CropDataset, crop_loader, middle_crops
from speechvq.data.manifest import read_manifest
from speechvq.errors import UserError
from speechvq.io.tensors import read_tensors
from speechvq.runtime.logging import log_to_stderr
from speechvq.speech.model import SpeechVQ
from speechvq.training import loop
from speechvq.training.checkpoint import TrainingState, list_checkpoints
from speechvq.training.ema import ema_weights
from speechvq.training.loop import fit
from speechvq.training.metrics_log import MetricsLog
from speechvq.training.signals import Interrupted
from speechvq.training.stage import Batches, Evaluate, Schedule, main_stage
from speechvq.training.tasks.speech_heldout import measure_heldout
from speechvq.vqvae import Losses

STEPS = 20
CROP = 2_400  # makes 27 crops an epoch, two a step: epoch 0 ends in the middle of step 14


def fit_main(
    model: nn.Module, batches: Batches, evaluate: Evaluate, run: Path, config: TrainConfig
) -> TrainingState:
    """Train by the main stage alone, and log to stderr as a command does."""
    with log_to_stderr():
        return fit(model, [main_stage(model, batches, evaluate, config)], run, config)


def train_in_process(
    corpus: Path, run: Path, config: SpeechRun, stop_at: int = -1, stop_in_evaluation: int = -1, seed: int = 0
) -> TrainingState:
    """Train as the command does, with a SIGTERM at a chosen step or during a chosen evaluation."""
    utterances, evaluations = read_manifest(corpus), 0
    train_split, dev_split = ([u for u in utterances if u.split == split] for split in ("train", "dev"))
    dataset = CropDataset(train_split, SPEAKERS, CROP, config.train.seed)
    heldout = middle_crops(dev_split, SPEAKERS, CROP, 3)

    def batches(step: int) -> Iterator[tuple[Tensor, ...]]:
        for batch in crop_loader(dataset, config.data.batch, step=step, workers=config.data.workers):
            step += 1
            if step == stop_at:
                signal.raise_signal(signal.SIGTERM)
            yield batch

    def evaluate(model: nn.Module) -> dict[str, float]:
        nonlocal evaluations
        evaluations += 1
        if evaluations == stop_in_evaluation:
            signal.raise_signal(signal.SIGTERM)
        assert isinstance(model, SpeechVQ)
        return measure_heldout(model, heldout)

    torch.manual_seed(seed)
    return fit_main(SpeechVQ(config.model, SPEAKERS), batches, evaluate, run, config.train)


def final(run: Path) -> dict[str, Tensor]:
    """Every tensor of the newest checkpoint."""
    folder = list_checkpoints(run)[-1]
    return {
        f"{name}/{key}": tensor
        for name in ("model", "ema", "optimizer")
        for key, tensor in read_tensors(folder / f"{name}.safetensors").items()
    }


def metrics(run: Path) -> list[dict[str, float]]:
    """The metrics log without the speed of the machine."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "steps_per_second"} for line in lines]


def assert_same_end(one: Path, other: Path) -> None:
    first, second = final(one), final(other)
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    assert metrics(one) == metrics(other)


@pytest.fixture(autouse=True)
def frequent_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log line every five steps, so that a run is stopped between two lines."""
    monkeypatch.setattr(loop, "LOG_EVERY", 5)


@pytest.fixture(scope="module", params=["loss", "ema"])
def unbroken(
    request: pytest.FixtureRequest, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SpeechRun, Path]:
    """Configuration and directory of a run that nothing stopped."""
    config = run_config(corpus, request.param, steps=STEPS, save_every=100, model={"jitter": 0.12})
    run = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "LOG_EVERY", 5)
        train_in_process(corpus, run, config)
    return config, run


@pytest.mark.parametrize("stops", [[1], [7], [10], [14], [1, 2, 19]])
def test_a_resumed_run_ends_like_an_unbroken_one(
    corpus: Path, unbroken: tuple[SpeechRun, Path], stops: list[int], tmp_path: Path
) -> None:
    """Stopped after the first step, between log lines, at an evaluation, at an epoch's end, repeatedly."""
    config, before = unbroken
    for number, stop in enumerate(stops):
        with pytest.raises(Interrupted) as stopped:
            train_in_process(corpus, tmp_path, config, stop_at=stop, seed=number)
        assert stopped.value.signum == signal.SIGTERM
        assert list_checkpoints(tmp_path)[-1].name == f"stage_0_step_{stop}"
    train_in_process(corpus, tmp_path, config, seed=99)
    assert_same_end(before, tmp_path)


def test_a_run_stopped_while_it_evaluates_ends_like_an_unbroken_one(
    corpus: Path, unbroken: tuple[SpeechRun, Path], tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        train_in_process(corpus, tmp_path, unbroken[0], stop_in_evaluation=1)
    train_in_process(corpus, tmp_path, unbroken[0], seed=99)
    assert_same_end(unbroken[1], tmp_path)


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker")  # on a machine of one core
def test_data_loading_processes_change_nothing(
    corpus: Path, unbroken: tuple[SpeechRun, Path], tmp_path: Path
) -> None:
    config = dataclasses.replace(unbroken[0], data=dataclasses.replace(unbroken[0].data, workers=2))
    with pytest.raises(Interrupted):
        train_in_process(corpus, tmp_path, config, stop_at=7)
    train_in_process(corpus, tmp_path, config, seed=99)
    assert_same_end(unbroken[1], tmp_path)


def test_a_finished_run_is_left_as_it_is(corpus: Path, unbroken: tuple[SpeechRun, Path]) -> None:
    config, run = unbroken
    before = final(run), metrics(run)
    state = train_in_process(corpus, run, config, seed=99)
    assert state.step == STEPS and metrics(run) == before[1]
    assert all(torch.equal(before[0][name], tensor) for name, tensor in final(run).items())


# -- killed from outside
# ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    started = Launcher()
    yield started
    started.close()


def arguments(folder: Path, config: SpeechRun, run: str = "run") -> list[str]:
    return ["--config", str(write_config(folder, config)), "--out", str(folder / run), "--device", "cpu"]


def wait_for(condition: Callable[[], Any], seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def newest_names(run: Path) -> list[str]:
    return [folder.name for folder in list_checkpoints(run)]


def test_killed_at_random_moments_while_every_step_saves(
    corpus: Path, tmp_path: Path, launcher: Launcher
) -> None:
    """After every SIGKILL the newest checkpoint is whole, and the end is that of an unbroken run."""
    config = run_config(corpus, "ema", steps=40, save_every=1, evaluate_every=7, model={"jitter": 0.12})
    argv, log = arguments(tmp_path, config), tmp_path / "log"
    chance = random.Random(0)
    for _ in range(5):
        steps = newest_names(tmp_path / "run")
        child = launcher.start(argv, log)
        wait_for(lambda before=steps: newest_names(tmp_path / "run") not in (before, []))  # type: ignore[misc]
        time.sleep(chance.uniform(0, 0.15))
        os.kill(child, signal.SIGKILL)
        launcher.wait()
        for path in list_checkpoints(tmp_path / "run")[-1].glob("*.safetensors"):
            read_tensors(path)
    launcher.start(argv, log)
    assert launcher.wait() == 0, log.read_text()
    assert log.read_text().count("resuming from") == 5 and "Traceback" not in log.read_text()
    assert not list(tmp_path.rglob(".part-*"))
    launcher.start(arguments(tmp_path, config, "unbroken"), log)
    assert launcher.wait() == 0
    assert_same_end(tmp_path / "unbroken", tmp_path / "run")


@pytest.mark.parametrize("signum, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_sets_the_exit_code(
    corpus: Path, tmp_path: Path, launcher: Launcher, signum: signal.Signals, code: int
) -> None:
    config, log = run_config(corpus, steps=100_000, save_every=100_000, evaluate_every=10), tmp_path / "log"
    child = launcher.start(arguments(tmp_path, config), log)
    wait_for(lambda: log.exists() and "step 10:" in log.read_text())
    os.kill(child, signum)
    assert launcher.wait() == code
    codebook, main = (folder.name for folder in list_checkpoints(tmp_path / "run"))
    assert codebook == "stage_0_step_0" and main.startswith("stage_1_step_1")
    assert f"stopped by {signum.name}; the same command continues" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_second_signal_ends_at_once(corpus: Path, tmp_path: Path, launcher: Launcher) -> None:
    """During a long step nothing is saved after a second signal."""
    config, log = run_config(corpus, steps=100_000, save_every=100_000, evaluate_every=10), tmp_path / "log"
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, crop=4_800, batch=60))
    child = launcher.start(arguments(tmp_path, config), log)
    wait_for(lambda: log.exists() and "stage 2 of 2" in log.read_text())
    os.kill(child, signal.SIGTERM)
    wait_for(lambda: "send it again to exit at once" in log.read_text())
    os.kill(child, signal.SIGTERM)
    assert launcher.wait() == -signal.SIGTERM
    assert [folder.name for folder in list_checkpoints(tmp_path / "run")] == ["stage_0_step_0"]


# -- what goes wrong
# ----------------------------------------------------------------------------------------------


def test_a_broken_update_is_not_applied_and_three_stop_the_run(tmp_path: Path) -> None:
    """With NaN out of the encoder, weights, statistics and codebook stay as they are."""
    config, bad_steps = toy_config(steps=9, save_every=100, evaluate_every=100), {0, 3, 5, 6}
    torch.manual_seed(0)
    model = SpeechVQ(speech_config("ema"), SPEAKERS)
    before: dict[int, Tensor] = {}

    def batches(step: int) -> Iterator[tuple[Tensor, ...]]:
        while True:
            before[step] = snapshot(model)
            handle = model.encoder.project.register_forward_hook(spoil) if step in bad_steps else None
            yield noise(2, 320, step), torch.tensor([0, 1])
            step += 1
            if handle is not None:
                handle.remove()

    state = fit_main(model, batches, lambda _: {}, tmp_path / "good", config)
    before[9] = snapshot(model)
    applied = {step for step in range(9) if not torch.equal(before[step], before[step + 1])}
    assert applied == set(range(9)) - bad_steps
    assert state.ema is not None
    assert all(tensor.isfinite().all() for tensor in [*state.ema.tensors.values(), before[9]])
    bad_steps |= {4}
    model = SpeechVQ(speech_config("ema"), SPEAKERS)
    with pytest.raises(
        UserError, match="NaN or Inf in 3 consecutive updates.*lower train.learning_rate"
    ) as caught:
        fit_main(model, batches, lambda _: {}, tmp_path / "bad", config)
    assert "\n" not in str(caught.value) and list_checkpoints(tmp_path / "bad") == []


def spoil(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """One NaN in a module's output."""
    return output.index_put((torch.tensor(0), torch.tensor(1), torch.tensor(2)), torch.tensor(math.nan))


def snapshot(model: nn.Module) -> Tensor:
    """All of a model's state in one vector."""
    return torch.cat([tensor.detach().double().flatten() for tensor in model.state_dict().values()])


class Toy(nn.Module):
    """A model of one weight that uses a given number of codes."""

    def __init__(self, used: int = 8) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))
        self.used = used

    def forward(self, x: Tensor) -> Losses:
        loss = (self.weight * x).square().mean()
        usage = torch.cat([torch.ones(self.used), torch.zeros(400 - self.used)])
        return Losses(loss, loss.detach(), loss.detach(), usage)


def toy_batches(step: int) -> Iterator[tuple[Tensor, ...]]:
    while True:
        yield (torch.ones(4),)


def toy_config(**changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {"steps": 20, "warmup": 4, "evaluate_every": 5, "save_every": 100}
    return TrainConfig(**(settings | changes))


def test_a_collapsed_codebook_is_warned_about_after_warm_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit_main(Toy(used=2), toy_batches, lambda _: {}, tmp_path / "bad", toy_config(warmup=12))
    assert (
        capsys.readouterr().err.count("codebook has collapsed (perplexity 2.0 of 400 codes): raise model.")
        == 2
    )
    fit_main(Toy(used=300), toy_batches, lambda _: {}, tmp_path / "good", toy_config())
    assert "collapsed" not in capsys.readouterr().err


class Codeless(Toy):
    """A model without a codebook, such as a prior, which logs another number."""

    class Losses(NamedTuple):
        total: Tensor
        nats: Tensor
        surprise: Tensor

    def forward(self, x: Tensor) -> "Codeless.Losses":  # type: ignore[override]
        loss = (self.weight * x).square().mean()
        return Codeless.Losses(loss, loss.detach(), torch.tensor(3.0))


def test_a_model_without_codebook_logs_its_own_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit_main(Codeless(), toy_batches, lambda _: {}, tmp_path, toy_config())
    lines = [line for line in metrics(tmp_path) if "nats" in line]
    assert [line["surprise"] for line in lines] == [3.0] * 4
    assert set(lines[0]) == {"stage", "step", "nats", "surprise", "gradient_norm", "learning_rate"}
    assert (
        "bits, " in (error := capsys.readouterr().err)
        and "perplexity" not in error
        and "codebook" not in error
    )


def test_a_decoder_that_ignores_the_codes_is_warned_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the second evaluation after warm-up on; every decoder ignores the codes at first."""
    fit_main(Toy(), toy_batches, lambda _: {"codes_gap_bits": 0.004}, tmp_path / "bad", toy_config())
    lines = capsys.readouterr().err.splitlines()
    warned = [
        before
        for before, line in zip(lines, lines[1:])
        if line.startswith("WARNING: THE DECODER IGNORES THE CODES")
    ]
    assert [line.partition(":")[0] for line in warned] == ["main, step 15", "main, step 20"]
    for number, values in enumerate([{"codes_gap_bits": 0.5}, {"heldout_bits": 4.0}]):
        fit_main(Toy(), toy_batches, lambda _: values, tmp_path / f"good_{number}", toy_config())  # noqa: B023
    assert "WARNING" not in capsys.readouterr().err


def test_the_averaged_weights_are_evaluated_and_swapped_back(tmp_path: Path) -> None:
    seen = []

    def evaluate(model: nn.Module) -> dict[str, float]:
        assert isinstance(model, Toy) and not model.training and not torch.is_grad_enabled()
        seen.append(float(model.weight))
        return {}

    state = fit_main(Toy(), toy_batches, evaluate, tmp_path, toy_config(learning_rate=0.1))
    model, ema = state.model, state.ema
    assert isinstance(model, Toy) and ema is not None
    live, average = float(model.weight.detach()), float(ema.tensors["weight"])
    assert live != average == seen[-1] and model.training
    with ema_weights(model, ema):
        assert float(model.weight.detach()) == average
    assert float(model.weight.detach()) == live


def test_the_learning_rate_rises_stays_and_falls() -> None:
    schedule = Schedule(2.0, steps=100, warmup=10, decay_fraction=0.3)
    rates = [schedule(step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * n for n in range(1, 11)])
    assert rates[10:70] == [2.0] * 60
    assert rates[70:] == pytest.approx([2.0 * (100 - step) / 30 for step in range(70, 100)])
    flat = Schedule(1.0, steps=5, warmup=0, decay_fraction=0.0)
    assert [flat(step) for step in range(5)] == [1.0] * 5


def test_the_log_drops_lines_of_lost_steps_and_damaged_lines(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    kept = (
        '{"stage": "first", "step": 90, "loss": 5.0}\n'
        '{"stage": "main", "step": 5, "nats": 3.0}\n'
        '{"stage": "main", "step": 10, "nats": 2.0}\n'
    )
    lost = '{"stage": "main", "step": 11, "nats": 1.0}\n[]\n{"stage": "other", "step": 1}\n'
    path.write_bytes((kept + lost).encode() + bytes(9) + b'\n{"stage": "main", "step": 10')
    log = MetricsLog(tmp_path, ["first", "main"], stage=1, step=10)
    assert path.read_text() == kept
    log.write("main", 15, {"nats": 1.23456789})
    assert path.read_text() == kept + '{"stage": "main", "step": 15, "nats": 1.234568}\n'
    MetricsLog(tmp_path, ["first", "main"], stage=0, step=90)
    assert path.read_text() == kept.splitlines(keepends=True)[0]


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, ["main"])
    log.path.unlink()
    log.path.mkdir()
    with pytest.raises(UserError, match="metrics.jsonl: cannot be written"):
        log.write("main", 1, {})


# -- the command
# --------------------------------------------------------------------------------------------------


def test_a_run_of_other_settings_is_refused_and_other_training_allowed(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = arguments(tmp_path, run_config(corpus, steps=2))
    assert train.main(argv) == 0
    capsys.readouterr()
    for change, part in [("model.quantizer.num_codes=9", "model"), ("data.batch=4", "data")]:
        assert train.main([*argv, "--set", change]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"other '{part}' settings; choose another --out" in line and str(tmp_path / "run") in line
    assert train.main([*argv, "--set", "train.steps=3"]) == 0
    assert "resuming from" in capsys.readouterr().err


def test_a_run_resumes_from_the_checkpoint_before_a_damaged_one(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv, run = arguments(tmp_path, run_config(corpus, steps=3, save_every=1)), tmp_path / "run"
    assert train.main(argv) == 0
    expected, (before, newest) = final(run), list_checkpoints(run)
    (newest / "ema.safetensors").write_bytes(b"no")
    capsys.readouterr()
    assert train.main(argv) == 0
    warning, resuming, *_ = capsys.readouterr().err.splitlines()
    assert warning.startswith(f"warning: {newest}: damaged checkpoint ({newest}/ema.safetensors: not a ")
    assert warning.endswith(f"; it is renamed to {newest.name}.damaged") and resuming.endswith(str(before))
    assert list_checkpoints(run) == [before, newest]
    assert all(torch.equal(expected[name], tensor) for name, tensor in final(run).items())


def test_a_run_without_a_whole_checkpoint_is_refused_in_one_line(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv, run = arguments(tmp_path, run_config(corpus, steps=3, save_every=1)), tmp_path / "run"
    assert train.main(argv) == 0
    checkpoints = list_checkpoints(run)
    for folder in checkpoints:
        (folder / "ema.safetensors").write_bytes(b"no")
    capsys.readouterr()
    assert train.main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("speechvq.train: error:") and f"delete {checkpoints[-1]} to resume" in line
    assert list_checkpoints(run) == checkpoints
    for folder in checkpoints:
        folder.rename(tmp_path / folder.name)
    assert train.main(argv) == 0


@pytest.mark.parametrize(
    "change, message",
    [
        ("data.crop=321", "data.crop = 321 is not a multiple of the hop, 8 samples"),
        ("data.manifest=nowhere", "nowhere: no such manifest"),
        ("train.save_every=0", "train.save_every: expected 1 to"),
        ("train.step=3", "did you mean 'steps'"),
    ],
)
def test_mistakes_cost_one_line(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, message: str
) -> None:
    assert train.main([*arguments(tmp_path, run_config(corpus)), "--set", change]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "run").exists()


def test_an_output_folder_that_cannot_be_made_costs_one_line(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    argv = arguments(tmp_path, run_config(corpus), run="file/run")
    assert train.main(argv) == 2
    assert "choose another folder" in capsys.readouterr().err


def test_every_flag_is_known() -> None:
    flags = {option for action in train.build_parser()._actions for option in action.option_strings}
    assert flags == {"-h", "--help", "--version", "--list-configs", "--config", "--out", "--set", "--device"}
