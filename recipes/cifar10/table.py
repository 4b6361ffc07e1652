"""Bits a sub-pixel of the three models beside the paper's: python recipes/cifar10/table.py exp/cifar10"""

import json
import sys
from pathlib import Path

PAPER = {"vae": 4.51, "vqvae": 4.67, "vimco": 5.14}  # van den Oord et al. 2017, section 4.1
NAMES = {"vae": "VAE", "vqvae": "VQ-VAE", "vimco": "VIMCO"}


def main() -> int:
    """Print a Markdown table of `EXP/MODEL.json`, as `evaluate likelihood --json` writes them."""
    folder = Path(sys.argv[1])
    print("| model | prior of the latents | bits/dim | reconstruction | latents | images | paper |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for model, paper in PAPER.items():
        path = folder / f"{model}.json"
        if not path.exists():
            print(f"| {NAMES[model]} | - | not measured | | | | {paper} |")
            continue
        figures = json.loads(path.read_text())
        for prior, values in figures["under"].items():
            total = f"{values['bits_per_dim']:.3f} ± {values['standard_error']:.3f}"
            parts = f"{values['reconstruction']:.3f} | {values['latents']:.3f}"
            print(f"| {NAMES[model]} | {prior} | {total} | {parts} | {figures['images']} | {paper} |")
    print("\n±: standard error over pictures. The paper's numbers are of the whole of CIFAR-10 after 250,000 steps of 128.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
