"""The figures of imagined videos as text."""

import math
from collections.abc import Sequence
from typing import Any

from speechvq.cli.tables import align, number, percent


def rollout_table(figures: dict[str, Any]) -> str:
    """A title and four small tables: code lengths, pictures, actions, sharpness."""
    tables = (align(rows, left=1) for rows in rollout_rows(figures))
    return "\n\n".join([rollout_title(figures), *tables])


def rollout_title(figures: dict[str, Any]) -> str:
    """What was measured, in a line."""
    return (
        f"{figures['prior']}: {figures['rollouts']} videos of {figures['frames']} frames after "
        f"{figures['told']} given, split {figures['split']} of {figures['data']}, seed {figures['seed']}, "
        f"temperature {figures['temperature']:g}"
    )


def rollout_rows(figures: dict[str, Any]) -> list[Sequence[Sequence[str]]]:
    """The four tables as rows of cells; the first row of each is its header, the first column its names."""
    parts = (_quality(figures["quality"]), _actions(figures["actions"]), _sharpness(figures["sharpness"]))
    return [_bits(figures), *parts]


def _bits(figures: dict[str, Any]) -> list[list[str]]:
    own = figures["bits"][figures["prior"]] or math.nan
    header = [f"bits a code, {figures['windows']} frames", "", "of this prior's"]
    rows = [[name, number(bits, 3), number(bits / own, 2)] for name, bits in figures["bits"].items()]
    return [header, *rows]


def _quality(quality: dict[str, Any]) -> list[list[str]]:
    names = list(next(iter(quality.values())))
    header = ["frames ahead", *(f"{name} {unit}" for name in names for unit in ("dB", "SSIM"))]
    rows = [[step, *(cell for name in names for cell in _pair(each[name]))] for step, each in quality.items()]
    return [header, *rows]


def _pair(each: dict[str, Any]) -> tuple[str, str]:
    return ("equal" if each["psnr"] is None else number(each["psnr"], 2)), number(each["ssim"], 3)


def _actions(actions: dict[str, Any]) -> list[list[str]]:
    header = [
        "action named, of the first",
        "real",
        "reconstruction",
        "imagined",
        "imagined / real",
        "majority",
        "n",
    ]
    rows = [
        [
            f"{frames} frames",
            *(percent(each[name]) for name in ("real", "reconstruction", "imagined")),
            percent(each["imagined"] / each["real"] if each["real"] else float("nan")),
            percent(each["majority"]),
            str(each["pairs"]),
        ]
        for frames, each in actions.items()
    ]
    return [header, *rows]


def _sharpness(sharpness: dict[str, Any]) -> list[list[str]]:
    means = sharpness["by_frame"]
    last = len(means["imagined"])
    header = ["sharpness, levels a pixel", "frame 1", f"frame {last}", "last / first"]
    shares = {
        name: "-" if share is None else number(share, 3) for name, share in sharpness["last_to_first"].items()
    }
    rows = [[name, number(each[0], 2), number(each[-1], 2), shares[name]] for name, each in means.items()]
    return [header, *rows]
