"""The work of a process of test_two_machines.py; started by torchrun with a folder, a death and flags.

The process of the second machine dies before its sixth batch, once: by "process" it alone, by "machine" also
the torchrun that started it.
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from helpers.two_processes import keep
from speechvq import train
from speechvq.data.crops import crop_loader
from speechvq.runtime import distributed
from speechvq.training import task
from speechvq.training.tasks import speech


def main(folder: Path, death: str, argv: list[str]) -> int:
    """Train, and save the weights that this process ends with."""
    torch.set_num_threads(1)
    ends: list[dict[str, torch.Tensor]] = []
    task.fit = keep(task.fit, ends)
    ranks: list[int] = []

    def batches(*arguments: Any, **options: Any) -> Iterator[Any]:
        ranks.append(distributed.rank())
        for step, batch in enumerate(crop_loader(*arguments, **options)):
            if step == 5 and options["rank"] == 1 and death != "none" and not (folder / death).exists():
                (folder / death).touch()
                if death == "machine":
                    os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    speech.crop_loader = batches  # type: ignore[assignment]
    code = train.main(argv)
    for weights in ends:
        save_file(weights, folder / f"weights_{ranks[-1]}.safetensors")
    return code


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
