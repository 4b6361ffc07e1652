"""What is watched while a model learns: means between two lines of the log, and updates that are lost."""

import math
import time
from typing import Protocol

import torch
from torch import Tensor

from speechvq.config import TrainConfig
from speechvq.errors import UserError
from speechvq.quantizer import perplexity
from speechvq.training.checkpoint import TrainingState
from speechvq.training.metrics_log import MetricsLog, say

MAX_NONFINITE_STEPS = 3  # updates in a row that may be lost to NaN or Inf before the run stops


class Losses(Protocol):
    """What a batch costs, for a model of any kind: a NamedTuple with these fields, and with more if it likes.

    A further field is a number, (), whose mean is logged under its name; or `usage`, the batch's code counts
    (K,), which tell whether the codebook collapses.
    """

    @property
    def total(self) -> Tensor:
        """What is minimised, ()."""

    @property
    def nats(self) -> Tensor:
        """-log p a dimension of what is modelled, (), without gradient."""

    def _asdict(self) -> dict[str, Tensor]:
        """All fields by name."""


class Meter:
    """Sums between two log lines; they live in the training state, so a resumed run logs the same means."""

    def __init__(self, config: TrainConfig, interval_sums: dict[str, Tensor]) -> None:
        """
        Args:
            config: how the run trains.
            window: the sums by name, changed in place.
        """
        self.config, self.nonfinite_steps, self.window, self.norm = config, 0, interval_sums, 0.0
        self.started, self.steps = time.monotonic(), 0

    def count(self, losses: Losses, norm: float) -> None:
        """Add a step with its gradient's norm.

        Raises:
            UserError: the updates keep being lost to NaN or Inf.
        """
        self.nonfinite_steps = 0 if math.isfinite(norm) else self.nonfinite_steps + 1
        if self.nonfinite_steps >= MAX_NONFINITE_STEPS:
            raise UserError(
                f"NaN or Inf in {MAX_NONFINITE_STEPS} updates running (none was applied); lower train.learning_rate, "
                "look for damaged sound, or go on from the last checkpoint"
            )
        seen = {"steps": torch.ones(())} | {k: v for k, v in losses._asdict().items() if k != "total"}
        for name, value in seen.items():
            self.window[name] = value.double() + self.window.get(name, torch.zeros(())).to(value.device)
        self.norm, self.steps = norm, self.steps + 1

    def report(self, state: TrainingState, log: MetricsLog | None) -> None:
        """Write the means since the last report."""
        rate = self.steps / (time.monotonic() - self.started)
        usage, steps = self.window.pop("usage", None), float(self.window.pop("steps"))
        values = {name: float(total) / steps for name, total in self.window.items()}
        values |= {"gradient_norm": self.norm, "learning_rate": state.optimizer.param_groups[0]["lr"]}
        if usage is not None:
            values |= {"perplexity": float(perplexity(usage)), "active_codes": float((usage > 0).sum())}
        values["steps_per_second"] = rate
        self.window.clear()
        self.started, self.steps = time.monotonic(), 0
        if log is None:
            return
        log.write(state.step, values)
        self._say(state.step, values, 0 if usage is None else len(usage))

    def _say(self, step: int, values: dict[str, float], num_codes: int) -> None:
        """The line for the person who waits, and a warning where the codebook has collapsed."""
        left = (self.config.steps - step) / values["steps_per_second"] / 60
        used = f"perplexity {values['perplexity']:.0f}, " if num_codes else ""
        say(
            f"step {step}/{self.config.steps}: {values['nats'] / math.log(2):.3f} bits, {used}"
            f"{values['steps_per_second']:.2f} steps/s, {left:.0f} min left"
        )
        if num_codes and step > self.config.warmup and values["perplexity"] < 0.02 * num_codes:
            say(
                f"warning: the codebook has collapsed (perplexity {values['perplexity']:.1f} of {num_codes} "
                "codes): raise model.quantizer.dead_code_threshold or set model.quantizer.codebook=ema"
            )
