"""What a run says: `metrics.jsonl` for programs, lines on stderr for people, TensorBoard if it is there."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path


class MetricsLog:
    """Appends one JSON object a line to `metrics.jsonl`, and mirrors it to TensorBoard when that is installed."""

    def __init__(self, run: Path, step: int) -> None:
        """Open the log of a run that (re)starts at `step`; later lines, of work that was lost, are dropped."""
        self.path = run / "metrics.jsonl"
        lines = self.path.read_text().splitlines(keepends=True) if self.path.exists() else []
        self.path.write_text("".join(line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step))
        self._board = _open_board(run)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append the values measured at a step."""
        with open(self.path, "a") as file:
            file.write(json.dumps({"step": step} | {k: round(float(v), 6) for k, v in values.items()}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)


def say(text: str) -> None:
    """A line for the person who waits."""
    print(text, file=sys.stderr, flush=True)


def _open_board(run: Path):  # type: ignore[no-untyped-def]
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(run / "board")
