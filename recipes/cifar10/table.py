"""Bits a sub-pixel of the three models beside the paper's: python recipes/cifar10/table.py exp/cifar10"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

PAPER = {"vae": 4.51, "vqvae": 4.67, "vimco": 5.14}  # van den Oord et al. 2017, section 4.1
NAMES = {"vae": "VAE", "vqvae": "VQ-VAE", "vimco": "VIMCO"}


def main() -> int:
    """Print a Markdown table of `EXP/MODEL.json`, `EXP/MODEL1.json` ..., as `evaluate likelihood` writes them."""
    folder = Path(sys.argv[1])
    print("| model | prior of the latents | bits/dim | reconstruction | latents | seeds | images | paper |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for model, paper in PAPER.items():
        runs = read_runs(folder, model)
        if not runs:
            print(f"| {NAMES[model]} | - | not measured | | | | | {paper} |")
        for prior in runs[0]["under"] if runs else ():
            print(f"| {NAMES[model]} | {prior} | {row(runs, prior)} | {paper} |")
    print(
        "\n±: of one seed, the standard error over pictures; of several, the standard deviation over seeds."
    )
    print("The paper's numbers are of the whole of CIFAR-10 after 250,000 steps of 128.")
    return 0


def read_runs(folder: Path, model: str) -> list[dict[str, Any]]:
    """What was measured of a model's runs, seed 0 first, as far as they are there without a gap."""
    runs: list[dict[str, Any]] = []
    while (path := folder / f"{model}{len(runs) or ''}.json").exists():
        runs.append(json.loads(path.read_text()))
    return runs


def row(runs: list[dict[str, Any]], prior: str) -> str:
    """Means over the seeds, and how far they spread."""
    each = [run["under"][prior] for run in runs]
    bits, *parts = ([one[key] for one in each] for key in ("bits_per_dim", "reconstruction", "latents"))
    spread = statistics.stdev(bits) if len(bits) > 1 else each[0]["standard_error"]
    means = " | ".join(f"{statistics.mean(part):.3f}" for part in parts)
    return f"{statistics.mean(bits):.3f} ± {spread:.3f} | {means} | {len(runs)} | {runs[0]['images']}"


if __name__ == "__main__":
    raise SystemExit(main())
