"""Progress lines on the terminal, spaced by time."""

import math
import time
from collections.abc import Callable

from torch import Tensor

from speechvq.quantizer import perplexity
from speechvq.runtime.logging import logger
from speechvq.runtime.progress import format_duration
from speechvq.training.stage import Losses, Stage

FIRST_LINE, LINE_SPACING_GROWTH, LONGEST_SPACING = 3.0, 1.5, 60.0  # seconds, factor, seconds
STEPS_BEFORE_ESTIMATE, SECONDS_BEFORE_ESTIMATE = 10, 10.0  # fewer give no usable estimate of the time left


class ProgressLines:
    """Logs the progress of a stage: first after seconds, then at growing distances.

    Slow steps are shown as soon as fast ones, because lines are spaced by time and not by steps.
    """

    def __init__(self, stage: Stage, step: int, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            stage: the stage that is shown.
            step: updates done before.
            clock: seconds, monotonic.
        """
        self._stage, self._clock = stage, clock
        self._first_step = self._last_step = step
        self._started = self._shown = clock()
        self._spacing, self._sums = FIRST_LINE, dict[str, Tensor]()

    def add(self, step: int, losses: Losses) -> None:
        """Add the losses of one step, and log a line if one is due or this step is the last.

        Args:
            step: updates done, this one included.
            losses: of the step.
        """
        for name, value in losses._asdict().items():
            if name in ("nats", "loss", "usage"):
                self._sums[name] = self._sums[name] + value if name in self._sums else value
        if step == self._stage.steps or self._clock() - self._shown >= self._spacing:
            logger.info("%s", self._line(step))
            self._sums, self._shown, self._last_step = {}, self._clock(), step
            self._spacing = min(self._spacing * LINE_SPACING_GROWTH, LONGEST_SPACING)

    def _line(self, step: int) -> str:
        count, parts = step - self._last_step, []
        if "nats" in self._sums:
            parts.append(f"{float(self._sums['nats']) / count / math.log(2):.3f} bits")
        elif "loss" in self._sums:
            parts.append(f"loss {float(self._sums['loss']) / count:.4f}")
        if "usage" in self._sums:
            parts.append(f"perplexity {float(perplexity(self._sums['usage'])):.0f}")
        done, seconds = step - self._first_step, max(self._clock() - self._started, 1e-9)
        rate = done / seconds
        parts.append(f"{rate:.2f} steps/s" if rate >= 1 else f"{1 / rate:.1f} s/step")
        left = self._stage.steps - step
        if left and done >= STEPS_BEFORE_ESTIMATE and seconds >= SECONDS_BEFORE_ESTIMATE:
            parts.append(f"about {format_duration(left / rate)} left")
        return f"{self._stage.name}, step {step}/{self._stage.steps}: " + ", ".join(parts)
