"""Training steps of every stage of a configuration: speed, share of the core's rate of products, loader.

Each stage makes a few updates on one core. Its operations are counted by torch, forward and backward. The
loader makes its batches in the same process; its processor time is set against that of the updates.
"""

import argparse
import importlib
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import roofline
from speechvq.training import loop
from speechvq.training.task import TrainingTask
from timing import REPEATS, one_core, write_part

RATE = 16_000


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", nargs="+", default=["mini"], help="configurations of speech models")
    parser.add_argument("--manifest", type=Path, required=True, help="of a prepared corpus")
    parser.add_argument("--json", type=Path, required=True, help="write the numbers to this file")
    parser.add_argument("--brief", action="store_true", help="one update of each stage, to try the script")
    return parser


def main() -> None:
    """Measure every stage of every configuration, and print a row of a table each."""
    arguments = build_parser().parse_args()
    one_core()
    peak, rates = products_per_second(), {}
    for name in arguments.config:
        task = build(name, arguments.manifest)
        for index, stage in enumerate(task.stages):
            if stage.initialize is not None:
                stage.initialize()
            if not stage.steps:  # it only initializes
                continue
            found = measure(task, index, 1 if arguments.brief else REPEATS)
            found["share_of_peak"] = found["operations"] / found["update_s"] / peak
            rates[f"{name}, {stage.name}"] = found
            print(row(f"{name}, {stage.name}", found), flush=True)
    write_part(arguments.json, {"training_rates": rates})


def products_per_second() -> float:
    """Operations per processor second of square float32 products."""
    products, spent = roofline.Products(np.matmul), []
    for _ in range(REPEATS + 1):
        spent.append(seconds(products)[0])
    return products.operations / statistics.median(spent[1:])


def build(name: str, manifest: Path) -> TrainingTask:
    """The task of a packaged configuration on a corpus."""
    from speechvq.config.runs import read_run
    from speechvq.train import TASKS

    config = read_run(name, [f"data.manifest={manifest}"])
    module = importlib.import_module(f"speechvq.training.tasks.{TASKS[config.model.kind]}")
    task: TrainingTask = module.build_task(config, torch.device("cpu"))
    return task


def measure(task: TrainingTask, index: int, repeats: int) -> dict[str, float]:
    """Updates of a stage that has been initialized."""
    stage = task.stages[index]
    loop._freeze_and_set_modes(task.model, stage)
    state = loop._new_state(task.model, stage, index)
    batches, loading, updating = stage.batches(0), [], []
    for _ in range(repeats + 1):  # the first one compiles and allocates
        spent, batch = seconds(lambda: next(batches))
        loading.append(spent)
        updating.append(seconds(lambda batch=batch: loop.update(state, stage, batch, 0))[0])
    with FlopCounterMode(display=False) as counter:
        loop.update(state, stage, next(batches), 0)
    update, load = statistics.median(updating[1:]), statistics.median(loading[1:])
    return {
        "samples_per_second": batch[0].numel() / update,
        "update_s": update,
        "loader_s": load,
        "operations": float(counter.get_total_flops()),
    }


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of a work, and its result."""
    begun = time.process_time()
    result = work()
    return time.process_time() - begun, result


def row(name: str, found: dict[str, float]) -> str:
    """A row of the Markdown table."""
    return (
        f"| {name} | {found['samples_per_second']:,.0f} | {found['samples_per_second'] / RATE:.2f} "
        f"| {found['share_of_peak']:.2f} | {found['loader_s'] / found['update_s']:.1%} |"
    )


if __name__ == "__main__":
    main()
