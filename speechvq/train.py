"""`python -m speechvq.train`: learn a model, of any kind, or go on where a run stopped; a module for each kind."""

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path

from speechvq import config as configuration
from speechvq.cli.command import run
from speechvq.config import Run, read_run
from speechvq.errors import UserError

CONFIG = "config.yaml"
TASKS = {  # by model.kind, the module that knows its data and its measures
    "speech": "speech",
    "sequence": "sequence",
    "image_vqvae": "images",
    "image_vae": "images",
    "image_vimco": "images",
    "pixelcnn": "pixelcnn",
    "second_stage": "second_stage",
    "video_prior": "video_prior",
}


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.train", description=__doc__)
    parser.add_argument(
        "--config", type=Path, required=True, help="YAML file, for example recipes/vctk/vctk64.yaml"
    )
    parser.add_argument("--out", type=Path, required=True, help="run directory, for example exp/vctk64")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="A.B=C",
        help="override a setting of the file; repeatable",
    )
    parser.add_argument("--device", default="", help="cpu or cuda (default: cuda if available)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after the last step; 2 for a user's mistake; 128 + signal when stopped, then saved."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> int:
    """0 after the last step, or 128 + the signal that stopped the run."""
    config = read_run(arguments.config, arguments.set)
    from speechvq.runtime import distributed  # torch takes two seconds to import; --help need not wait
    from speechvq.training.task import distributed_device, run_training

    subject = importlib.import_module(f"speechvq.training.tasks.{TASKS[config.model.kind]}")
    with distributed_device(arguments.device) as device:
        task = subject.build_task(config, device)
        if distributed.rank() == 0:
            claim(arguments.out, config)
        return run_training(task, arguments.out, config.train)


def claim(out: Path, config: Run) -> None:
    """Make the run directory, or check that it is of the same model and data; only `train` may change.

    Raises:
        UserError: it is of another model or other data, or cannot be written.
    """
    path = out / CONFIG
    if path.exists():
        before = read_run(path)
        for part in ("model", "data"):
            if getattr(before, part) != getattr(config, part):
                raise UserError(
                    f"{path}: this run has other '{part}' settings; choose another --out or the same settings"
                )
    try:
        out.mkdir(parents=True, exist_ok=True)
        configuration.save(path, config)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}); choose another --out") from None


if __name__ == "__main__":
    raise SystemExit(main())
