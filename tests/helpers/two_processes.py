"""The work of two processes for test_distributed.py; started by torchrun with a folder and `train` flags.

All of it runs in one start, because the imports take longer than the work.
"""

import dataclasses
import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor

from helpers.tiny import SPEAKERS, WAVENET, noise, run_config, speech_config
from speechvq import train
from speechvq.config import EncoderConfig, SourceFilterConfig, SpeechRun, TrainConfig
from speechvq.data.crops import CropDataset, crop_loader
from speechvq.data.manifest import read_manifest
from speechvq.runtime import distributed
from speechvq.speech.model import SpeechVQ
from speechvq.training import task
from speechvq.training.checkpoint import TrainingState
from speechvq.training.ema import EMA
from speechvq.training.loop import update
from speechvq.training.stage import Stage, main_stage
from speechvq.training.tasks import speech

BATCH, STEPS = 4, 3


def part_of_batch(rank: int, world_size: int) -> slice:
    """The rows of a batch that a process gets."""
    size = BATCH // world_size
    return slice(rank * size, (rank + 1) * size)


def main_steps(mode: str, rank: int, world_size: int) -> dict[str, Tensor]:
    """A few updates of the main stage on this process's part of the batches.

    Plain gradient descent, which does not amplify rounding as Adam does.
    """
    torch.manual_seed(0)
    model = SpeechVQ(speech_config(mode), SPEAKERS)
    config = TrainConfig(learning_rate=0.05, warmup=0, steps=1_000)
    stage = main_stage(model, lambda step: iter(()), lambda model: {}, config)
    state, rows = state_of(model, stage), part_of_batch(rank, world_size)
    for step in range(STEPS):
        batch = noise(BATCH, 320, seed=step)[rows], torch.tensor([0, 1, 2, 0])[rows]
        losses, norm = update(state, stage, batch, config.seed)
        facts = {"usage": losses._asdict()["usage"], "norm": torch.tensor(norm)}
    return {**model.state_dict(), **facts}


def pretraining_steps(corpus: Path, rank: int, world_size: int) -> dict[str, Tensor]:
    """A few updates of the source-filter stage on this process's part of the batches."""
    run = speech_run_with_stages(corpus)
    torch.manual_seed(0)
    model = SpeechVQ(run.model, SPEAKERS).train()
    training = [each for each in read_manifest(corpus) if each.split == "train"]
    dataset = CropDataset(training, SPEAKERS, run.data.crop, 0, True)
    [stage] = speech.source_filter_stages(model, dataset, run)
    state, rows = state_of(model, stage), part_of_batch(rank, world_size)
    for step, crops in zip(range(STEPS), crop_loader(dataset, BATCH)):
        _, norm = update(state, stage, tuple(each[rows] for each in crops), step)
    return {**model.state_dict(), "norm": torch.tensor(norm)}


def state_of(model: SpeechVQ, stage: Stage) -> TrainingState:
    """The state before the first step, with plain gradient descent."""
    groups = [{"params": list(group.parameters), "lr_scale": 1.0} for group in stage.groups]
    return TrainingState(model, torch.optim.SGD(groups, lr=1.0), EMA(model, 0.9))


def speech_run_with_stages(corpus: Path) -> SpeechRun:
    """A run of all three stages of speech."""
    model = {
        "encoder": EncoderConfig((32,), 8, mel_bands=20),
        "wavenet": dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True),
        "source_filter": SourceFilterConfig(
            filter_order=4, num_harmonics=3, channels=8, pretrain_steps=8, pretrain_batch=BATCH
        ),
    }
    run = run_config(corpus, "ema", model, steps=12, evaluate_every=5, save_every=6)
    return dataclasses.replace(run, data=dataclasses.replace(run.data, crop=1_600))


def main(folder: Path, argv: list[str]) -> None:
    """Train to the end; train, stop in two stages and resume; take single steps; save the results by rank."""
    torch.set_num_threads(1)
    ends: list[dict[str, Tensor]] = []
    task.fit = keep(task.fit, ends)
    destroy = dist.destroy_process_group
    dist.destroy_process_group = lambda group=None: None
    codes = [train.main([*argv, "--out", str(folder / "unbroken")])]
    dist.init_process_group = lambda *_: None  # the processes are connected already
    loader, speech.crop_loader = speech.crop_loader, stop_second_process_at_step_5
    for _ in range(2):  # in the source-filter stage, then in the main stage
        codes.append(train.main([*argv, "--out", str(folder / "stopped")]))
        dist.barrier()  # the first process may still be saving
    speech.crop_loader = loader
    codes.append(train.main([*argv, "--out", str(folder / "stopped")]))
    rank = distributed.rank()
    for mode in ("loss", "ema"):
        save_file(main_steps(mode, rank, 2), folder / f"{mode}_{rank}.safetensors")
    corpus = Path((folder / "corpus.txt").read_text())
    save_file(pretraining_steps(corpus, rank, 2), folder / f"pretraining_{rank}.safetensors")
    save_file(ends[0], folder / f"unbroken_{rank}.safetensors")
    (folder / f"codes_{rank}.json").write_text(json.dumps(codes))
    destroy()


def keep(fit: Callable[..., TrainingState], ends: list[dict[str, Tensor]]) -> Callable[..., TrainingState]:
    """`fit`, but it appends the model's weights at its end to `ends`, before the averages replace them."""

    def fit_and_keep(*arguments: Any) -> TrainingState:
        state = fit(*arguments)
        ends.append({name: tensor.clone() for name, tensor in state.model.state_dict().items()})
        return state

    return fit_and_keep


def stop_second_process_at_step_5(*arguments: Any, **options: Any) -> Iterator[Any]:
    """The batches, with a SIGTERM for the second process before the sixth one."""
    for step, batch in enumerate(crop_loader(*arguments, **options)):
        if step == 5 and options["rank"] == 1:
            signal.raise_signal(signal.SIGTERM)
        yield batch


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
