"""What a run says: `metrics.jsonl` for programs, lines on stderr for people, TensorBoard if it is there."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes


class MetricsLog:
    """Appends one JSON object a line to `metrics.jsonl`, and to TensorBoard where that is installed."""

    def __init__(self, run: Path, step: int) -> None:
        """Open the log of a run that (re)starts at `step`; lines of later, lost work are dropped."""
        self.path = run / "metrics.jsonl"
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        write_bytes(self.path, b"".join(line for line in lines if _step(line) <= step))
        self._board = _open_board(run)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append the values measured at a step.

        Raises:
            UserError: the disk is full or not writable.
        """
        line = json.dumps({"step": step} | {k: round(float(v), 6) for k, v in values.items()}) + "\n"
        try:
            with open(self.path, "a") as file:
                file.write(line)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror}); free some space") from None
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)


def say(text: str) -> None:
    """A line for the person who waits."""
    print(text, file=sys.stderr, flush=True)


def _step(line: bytes) -> float:
    """Step of a line of the log; infinite for one that a crash cut short or a power cut filled with zeros."""
    try:
        return float(json.loads(line)["step"]) if line.endswith(b"\n") else float("inf")
    except (ValueError, LookupError, TypeError):
        return float("inf")


def _open_board(run: Path):  # type: ignore[no-untyped-def]
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(run / "board")
