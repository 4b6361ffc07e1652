"""Metrics of sampled videos as text."""

import math
from collections.abc import Mapping, Sequence

from speechvq.cli.tables import align, in_percent, number
from speechvq.results.rollout import ActionAccuracy, FrameQuality, RolloutResult, Sharpness


def rollout_table(result: RolloutResult) -> str:
    """A title and four tables: code lengths, frame quality, recognized actions, sharpness."""
    tables = (align(rows, left=1) for rows in rollout_rows(result))
    return "\n\n".join([rollout_title(result), *tables])


def rollout_title(result: RolloutResult) -> str:
    """What was measured, in one line."""
    return (
        f"{result.prior}: {result.rollouts} videos of {result.frames} frames after "
        f"{result.context_frames} context frames, split {result.split} of {result.data}, seed {result.seed}, "
        f"temperature {result.temperature:g}"
    )


def rollout_rows(result: RolloutResult) -> list[Sequence[Sequence[str]]]:
    """The four tables as rows of cells; the first row of each is its header, the first column its labels."""
    return [_bits(result), _quality(result.quality), _actions(result.actions), _sharpness(result.sharpness)]


def _bits(result: RolloutResult) -> list[list[str]]:
    ours = result.bits[result.prior] or math.nan
    header = [f"bits per code ↓, {result.windows} frames", "", "ratio to this prior"]
    rows = [[name, number(bits, 3), number(bits / ours, 2)] for name, bits in result.bits.items()]
    return [header, *rows]


def _quality(quality: Mapping[str, Mapping[str, FrameQuality]]) -> list[list[str]]:
    names = list(next(iter(quality.values())))
    header = [
        "frames ahead",
        *(f"{name} {unit}" for name in names for unit in ("PSNR (dB) ↑", "SSIM ↑")),
    ]
    rows = [[step, *(cell for name in names for cell in _pair(each[name]))] for step, each in quality.items()]
    return [header, *rows]


def _pair(each: FrameQuality) -> tuple[str, str]:
    return ("equal" if each.psnr is None else number(each.psnr, 2)), number(each.ssim, 3)


def _actions(actions: Mapping[str, ActionAccuracy]) -> list[list[str]]:
    header = [
        "actions recognized (%) ↑",
        "real",
        "reconstruction",
        "imagined",
        "imagined / real",
        "majority",
        "n",
    ]
    rows = [
        [
            f"first {frames} frames",
            *(in_percent(value, 0) for value in (each.real, each.reconstruction, each.imagined)),
            in_percent(each.imagined / each.real if each.real else None, 0),
            in_percent(each.majority, 0),
            str(each.pairs),
        ]
        for frames, each in actions.items()
    ]
    return [header, *rows]


def _sharpness(sharpness: Sharpness) -> list[list[str]]:
    last = len(sharpness.by_frame["imagined"])
    header = ["sharpness (gray levels per pixel)", "frame 1", f"frame {last}", "last / first"]
    rows = [
        [name, number(each[0], 2), number(each[-1], 2), number(sharpness.last_to_first[name], 3)]
        for name, each in sharpness.by_frame.items()
    ]
    return [header, *rows]
