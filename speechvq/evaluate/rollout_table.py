"""The figures of imagined videos as text."""

from typing import Any

from speechvq.evaluate.tables import align, number, percent


def rollout_table(figures: dict[str, Any]) -> str:
    """Four small tables: code lengths, pictures, actions, sharpness."""
    title = (
        f"{figures['prior']}: {figures['rollouts']} videos of {figures['frames']} frames after "
        f"{figures['told']} given, split {figures['split']} of {figures['data']}, seed {figures['seed']}, "
        f"temperature {figures['temperature']:g}"
    )
    parts = [_bits(figures), _quality(figures["quality"]), _actions(figures["actions"])]
    return "\n\n".join([title, *parts, _sharpness(figures["sharpness"])])


def _bits(figures: dict[str, Any]) -> str:
    own = figures["bits"][figures["prior"]]
    header = [f"bits a code, {figures['windows']} frames", "", "of this prior's"]
    rows = [[name, number(bits, 3), f"{bits / own:.2f}"] for name, bits in figures["bits"].items()]
    return align([header, *rows], left=1)


def _quality(quality: dict[str, Any]) -> str:
    names = list(next(iter(quality.values())))
    header = ["frames ahead", *(f"{name} {unit}" for name in names for unit in ("dB", "SSIM"))]
    rows = [[step, *(cell for name in names for cell in _pair(each[name]))] for step, each in quality.items()]
    return align([header, *rows], left=1)


def _pair(each: dict[str, float | None]) -> tuple[str, str]:
    ratio, likeness = each["psnr"], each["ssim"]
    assert likeness is not None
    return ("equal" if ratio is None else number(ratio, 2)), number(likeness, 3)


def _actions(actions: dict[str, Any]) -> str:
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
    return align([header, *rows], left=1)


def _sharpness(sharpness: dict[str, Any]) -> str:
    means = sharpness["by_frame"]
    last = len(means["imagined"])
    header = ["sharpness, levels a pixel", "frame 1", f"frame {last}", "last / first"]
    shares = {
        name: "-" if share is None else number(share, 3) for name, share in sharpness["last_to_first"].items()
    }
    rows = [[name, number(each[0], 2), number(each[-1], 2), shares[name]] for name, each in means.items()]
    return align([header, *rows], left=1)
