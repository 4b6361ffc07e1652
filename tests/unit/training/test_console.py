"""Progress lines: spaced by time, with means since the last line, and an estimate once there is one."""

import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from speechvq.training.console import ProgressLines
from speechvq.training.stage import PretrainingLosses, Stage


class Likelihood(NamedTuple):
    """The losses of a model with a codebook."""

    total: Tensor
    nats: Tensor
    usage: Tensor


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def stage(steps: int) -> Stage:
    return Stage("motion", steps, lambda step: iter(()), lambda: None, [], lambda step: 0.0)  # type: ignore[arg-type, return-value]


def lines(
    caplog: pytest.LogCaptureFixture, seconds_per_step: float, steps: int, of: int = 10_000
) -> dict[int, str]:
    """The line of each step that has one."""
    caplog.set_level("INFO", "speechvq")
    clock, shown = Clock(), {}
    progress = ProgressLines(stage(of), 0, clock)
    for step in range(1, steps + 1):
        clock.now += seconds_per_step
        before = len(caplog.messages)
        progress.add(step, PretrainingLosses(torch.tensor(float(step)), torch.tensor(float(step))))
        if len(caplog.messages) > before:
            shown[step] = caplog.messages[-1]
    return shown


def test_lines_come_at_growing_distances_in_time(caplog: pytest.LogCaptureFixture) -> None:
    assert list(lines(caplog, seconds_per_step=1.0, steps=30)) == [3, 8, 15, 26]


@pytest.mark.parametrize(("seconds", "first"), [(0.01, 300), (0.5, 6), (20.0, 1)])
def test_the_first_line_comes_after_seconds_however_slow_the_steps_are(
    caplog: pytest.LogCaptureFixture, seconds: float, first: int
) -> None:
    assert next(iter(lines(caplog, seconds, 500))) in (first, first + 1)


def test_a_line_shows_the_mean_since_the_last_one_and_the_speed(caplog: pytest.LogCaptureFixture) -> None:
    shown = lines(caplog, seconds_per_step=2.0, steps=4)
    assert shown == {2: "motion, step 2/10000: loss 1.5000, 2.0 s/step"}


def test_the_time_left_is_estimated_after_some_steps_and_seconds(caplog: pytest.LogCaptureFixture) -> None:
    shown = lines(caplog, seconds_per_step=1.0, steps=30, of=630)
    assert ["left" in line for line in shown.values()] == [False, False, True, True]
    assert shown[15].endswith("1.00 steps/s, about 10 min left")


def test_the_last_step_has_a_line(caplog: pytest.LogCaptureFixture) -> None:
    assert list(lines(caplog, seconds_per_step=0.1, steps=5, of=5)) == [5]


def test_a_likelihood_is_shown_in_bits_with_the_perplexity(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "speechvq")
    clock = Clock()
    progress = ProgressLines(stage(2), 0, clock)
    for step, used in ((1, [1.0, 0.0]), (2, [0.0, 1.0])):
        clock.now += 1.0
        nats = torch.tensor(math.log(2) * step)
        progress.add(step, Likelihood(nats, nats, torch.tensor(used)))
    assert caplog.messages == ["motion, step 2/2: 1.500 bits, perplexity 2, 1.00 steps/s"]
