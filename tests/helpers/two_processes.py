"""What test_distributed.py lets two processes do; started by torchrun with a folder, a configuration and
"train" flags.

All of it is in one start, because the imports take longer than the work.
"""

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

from helpers.tiny import VOICES, noise, speech_config
from speechvq import train
from speechvq.config import TrainConfig
from speechvq.runtime import distributed
from speechvq.speech.model import SpeechVQ
from speechvq.training import task
from speechvq.training.checkpoint import TrainingState
from speechvq.training.ema import EMA
from speechvq.training.loop import _update
from speechvq.training.tasks import speech

BATCH, STEPS = 4, 3


def steps_on_share(mode: str, rank: int, world_size: int) -> dict[str, Tensor]:
    """A few updates on this process's share of the batches; plain gradient steps, which do not blow up
    rounding."""
    torch.manual_seed(0)
    model = SpeechVQ(speech_config(mode), VOICES)
    state = TrainingState(model, torch.optim.SGD(model.parameters(), lr=1.0), EMA(model, 0.9))
    share = BATCH // world_size
    own = slice(rank * share, (rank + 1) * share)
    for step in range(STEPS):
        batch = noise(BATCH, 320, seed=step)[own], torch.tensor([0, 1, 2, 0])[own]
        losses, norm = _update(state, batch, TrainConfig(learning_rate=0.05, warmup=0, steps=1_000))
        facts = {"usage": losses.usage, "norm": torch.tensor(norm)}
    return {**model.state_dict(), **facts}


def main(folder: Path, argv: list[str]) -> None:
    """Train to the end; train, stop and go on; and take single steps; keep what came of it by rank."""
    torch.set_num_threads(1)
    ends: list[dict[str, Tensor]] = []
    task.fit = keep(task.fit, ends)  # type: ignore[assignment]
    destroy, dist.destroy_process_group = dist.destroy_process_group, lambda: None
    codes = [train.main([*argv, "--out", str(folder / "unbroken")])]
    dist.init_process_group = lambda *_: None  # joined once is enough
    loader, speech.crop_loader = speech.crop_loader, stop_second_process_at_step_5
    codes.append(train.main([*argv, "--out", str(folder / "stopped")]))
    speech.crop_loader = loader
    dist.barrier()  # the first process may still be saving
    codes.append(train.main([*argv, "--out", str(folder / "stopped")]))
    rank = distributed.rank()
    for mode in ("loss", "ema"):
        save_file(steps_on_share(mode, rank, 2), folder / f"{mode}_{rank}.safetensors")
    save_file(ends[0], folder / f"unbroken_{rank}.safetensors")
    (folder / f"codes_{rank}.json").write_text(json.dumps(codes))
    destroy()


def keep(fit: Callable[..., TrainingState], ends: list[dict[str, Tensor]]) -> Callable[..., TrainingState]:
    """`fit`, but the model's state at its end is kept, before the averages are swapped in."""

    def fit_and_keep(*arguments: Any) -> TrainingState:
        state = fit(*arguments)
        ends.append({name: tensor.clone() for name, tensor in state.model.state_dict().items()})
        return state

    return fit_and_keep


def stop_second_process_at_step_5(*arguments: Any, **options: Any) -> Iterator[Any]:
    """The batches, with a SIGTERM that only the second process gets."""
    from speechvq.data.crops import crop_loader

    for step, batch in enumerate(crop_loader(*arguments, **options)):
        if step == 5 and options["rank"] == 1:
            signal.raise_signal(signal.SIGTERM)
        yield batch


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
