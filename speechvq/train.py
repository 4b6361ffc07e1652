"""`python -m speechvq.train`: train a model of any kind, or resume a run."""

import argparse
import dataclasses
import importlib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from speechvq import config as configuration
from speechvq.cli import flags, tables
from speechvq.cli.command import SUCCESS, run
from speechvq.cli.parser import CommandParser
from speechvq.config import Run, TrainConfig, read_run
from speechvq.errors import UserError
from speechvq.io.folder_lock import folder_lock
from speechvq.runtime.logging import logger

CONFIG = "config.yaml"
TASKS = {  # by model.kind, the module in training.tasks
    "speech": "speech",
    "sequence": "sequence",
    "image_vqvae": "images",
    "image_vae": "images",
    "image_vimco": "images",
    "pixelcnn": "pixelcnn",
    "second_stage": "second_stage",
    "video_prior": "video_prior",
}
# Settings that leave the computed weights alone, apart from the number of steps, which a run may extend.
FREE_SETTINGS = ("steps", "evaluate_every", "num_eval_items", "save_every", "keep_checkpoints")


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("train", __doc__)
    parser.add_argument(
        "--config",
        type=Path,
        help="name of a configuration, for example voice, or a YAML file (default: that of the run in --out)",
    )
    parser.add_argument("--list-configs", action="store_true", help="print the named configurations and exit")
    parser.add_argument("--out", type=Path, help="run directory, for example exp/voice")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="A.B=C",
        help="override a setting of the file: C is YAML, or literal text; repeatable",
    )
    flags.add_device(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after the last step, 2 for a user's mistake, 128 + signal when stopped, after saving."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> int:
    if arguments.list_configs:
        rows = [[each.name, each.summary] for each in configuration.packaged_configs()]
        print(tables.align(rows, left=2))
        return SUCCESS
    if arguments.out is None:
        raise UserError("--out is missing; give the run directory, for example --out exp/voice")
    config = _read_config(arguments)
    from speechvq.runtime import distributed  # imports torch, which takes seconds; --help need not wait
    from speechvq.training.task import distributed_device, run_training

    module = importlib.import_module(f"speechvq.training.tasks.{TASKS[config.model.kind]}")
    with distributed_device(arguments.device) as device:
        is_first = distributed.rank() == 0
        with folder_lock(arguments.out, "train") if is_first else nullcontext():
            task = module.build_task(config, device)
            if is_first:
                reserve_folder(arguments.out, config)
            return run_training(task, arguments.out, config.train)


def _read_config(arguments: argparse.Namespace) -> Run:
    """The settings of --config, or of the run to resume, with those of --set."""
    path = arguments.config or arguments.out / CONFIG
    if arguments.config is None and not path.is_file():
        raise UserError(f"{arguments.out}: no run to resume here; give --config to start one")
    return read_run(path, arguments.set)


def reserve_folder(out: Path, config: Run) -> None:
    """Create the run directory, or check that it belongs to the same model and data.

    A changed `train` setting that changes the weights is allowed with a warning.

    Raises:
        UserError: the run has another model or other data; the folder cannot be written.
    """
    path = out / CONFIG
    if path.exists():
        before = read_run(path)
        for part in ("model", "data"):
            if changes := _changes(part, getattr(before, part), getattr(config, part)):
                raise UserError(
                    f"{path}: this run has other '{part}' settings; choose another --out or the same "
                    f"settings ({'; '.join(changes)})"
                )
        _warn_of_changes(path, before.train, config.train)
    configuration.save(path, config)


def _warn_of_changes(path: Path, before: TrainConfig, now: TrainConfig) -> None:
    """Warn if a resumed run continues with a setting that changes what it learns."""
    from speechvq.training.checkpoint import list_checkpoints

    changes = _changes("train", before, now, but=FREE_SETTINGS)
    if changes and list_checkpoints(path.parent):
        logger.warning(
            "warning: %s: the run continues with other settings than it began with: %s",
            path,
            "; ".join(changes),
        )


def _changes(where: str, before: object, now: object, but: Sequence[str] = ()) -> list[str]:
    """The settings that differ, as "key was A, is now B"."""
    if type(before) is not type(now) or not dataclasses.is_dataclass(before):
        return [] if before == now else [f"{where} was {before}, is now {now}"]
    names = [field.name for field in dataclasses.fields(before) if field.name not in but]
    return [
        change
        for name in names
        for change in _changes(f"{where}.{name}", getattr(before, name), getattr(now, name))
    ]


if __name__ == "__main__":
    raise SystemExit(main())
