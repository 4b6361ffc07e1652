"""A table of bits per sub-pixel beside those of the paper: python recipes/cifar10/table.py exp/cifar10"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

PAPER = {"vae": 4.51, "vqvae": 4.67, "vimco": 5.14}  # van den Oord et al. 2017, section 4.1
NAMES = {"vae": "VAE", "vqvae": "VQ-VAE", "vimco": "VIMCO"}


def main() -> int:
    """Print a Markdown table of `EXP/MODEL.json`, `EXP/MODEL1.json` ... of `evaluate likelihood`."""
    folder = Path(sys.argv[1])
    columns = "prior of the latents | bits/dim (down) | reconstruction | latents | seeds | images | paper"
    print(f"| model | {columns} |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for model, paper in PAPER.items():
        runs = read_runs(folder, model)
        if not runs:
            print(f"| {NAMES[model]} | - | not measured | | | | | {paper} |")
        for prior in runs[0]["under"] if runs else ():
            print(f"| {NAMES[model]} | {prior} | {row(runs, prior)} | {paper} |")
    print("\n±: the standard deviation over seeds; for a single seed, the standard error over images.")
    print("The paper's numbers are for all of CIFAR-10 after 250,000 steps of 128 images.")
    return 0


def read_runs(folder: Path, model: str) -> list[dict[str, Any]]:
    """The results of a model's runs, from seed 0 on, up to the first missing seed."""
    runs: list[dict[str, Any]] = []
    while (path := folder / f"{model}{len(runs) or ''}.json").exists():
        runs.append(json.loads(path.read_text()))
    return runs


def row(runs: list[dict[str, Any]], prior: str) -> str:
    """Means over the seeds, and the spread."""
    each = [run["under"][prior] for run in runs]
    bits, *parts = ([one[key] for one in each] for key in ("bits_per_dim", "reconstruction", "latents"))
    spread = statistics.stdev(bits) if len(bits) > 1 else each[0]["standard_error"]
    means = " | ".join(f"{statistics.mean(part):.3f}" for part in parts)
    return f"{statistics.mean(bits):.3f} ± {spread:.3f} | {means} | {len(runs)} | {runs[0]['images']}"


if __name__ == "__main__":
    raise SystemExit(main())
