"""The metrics of a run: `metrics.jsonl`, and TensorBoard where it is installed."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes, writing
from speechvq.io.reading import read_regular


class MetricsLog:
    """Appends lines to `metrics.jsonl`: JSON objects with the stage's name, its step, and numbers by name."""

    def __init__(self, run: Path, stages: Sequence[str], stage: int = 0, step: int = 0) -> None:
        """Open the log of a run, and drop lines of later steps, whose work was lost.

        Args:
            run: run directory.
            stages: names of the run's stages, in order.
            stage: index of the stage in which the run starts or resumes.
            step: step of that stage.

        Raises:
            UserError: the log is no regular file, or cannot be read or written.
        """
        self.path, self._stages = run / "metrics.jsonl", list(stages)
        try:
            lines = read_regular(self.path).splitlines(keepends=True)
        except FileNotFoundError:
            lines = []
        except OSError as error:
            raise UserError(f"{self.path}: {error.strerror}; move it away and resume") from None
        write_bytes(self.path, b"".join(line for line in lines if self._position(line) <= (stage, step)))
        self._board = _open_board(run)

    def write(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Append the values measured at a step of a stage.

        Raises:
            UserError: the disk is full or not writable.
        """
        rounded = {name: round(float(value), 6) for name, value in values.items()}
        with writing(self.path), open(self.path, "a") as file:
            file.write(json.dumps({"stage": stage, "step": step} | rounded) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{stage}/{name}", value, step)

    def _position(self, line: bytes) -> tuple[float, float]:
        """Stage and step of a line; infinite for a line that a crash cut short or a power cut damaged."""
        try:
            values = json.loads(line) if line.endswith(b"\n") else {}
            return float(self._stages.index(values["stage"])), float(values["step"])
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
            return math.inf, math.inf


def _open_board(run: Path):  # type: ignore[no-untyped-def]
    """A TensorBoard writer, or None."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    with writing(run / "board"):
        return SummaryWriter(run / "board")
