"""The quantizer's training step against vector-quantize-pytorch's.

Both in a process as Python starts it. Theirs lays out every distance at once, and so gains more than ours
where freed memory is kept, as our training command does for all that runs in it: --kept-memory compares them
there.
"""

import argparse
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from speechvq.quantizer import VectorQuantizer
from timing import REPEATS, alternate, measurement_parser, one_thread, rounds, write_part


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--codes", type=int, default=512)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--vectors", type=int, default=8192)
    parser.add_argument(
        "--kept-memory", action="store_true", help="compare in a process that keeps freed memory"
    )
    return parser


def main() -> None:
    """Measure one codebook size in this process."""
    arguments = build_parser().parse_args()
    one_thread(keep_memory=arguments.kept_memory)
    name = f"{arguments.codes}{'_kept_memory' if arguments.kept_memory else ''}"
    repeats = 2 * rounds(arguments.brief)
    write_part(arguments.json, measure(name, arguments.codes, arguments.dim, arguments.vectors, repeats))


def measure(name: str, codes: int, dim: int, count: int, repeats: int = 2 * REPEATS) -> dict[str, Any]:
    """Forward, loss, backward and moving averages for `count` vectors, on both sides without k-means."""
    from vector_quantize_pytorch import VectorQuantize

    vectors = torch.randn(count, dim)
    ours = VectorQuantizer(codes, dim, codebook="ema").train()
    theirs = VectorQuantize(
        dim, codebook_size=codes, decay=0.99, commitment_weight=0.25, kmeans_init=False
    ).train()

    def our_pass(x: Tensor) -> tuple[Tensor, Tensor]:
        quantised = ours(x)
        return quantised.vectors, quantised.loss

    def their_pass(x: Tensor) -> tuple[Tensor, Tensor]:
        quantised, _, loss = theirs(x.unsqueeze(0))
        return quantised, loss.sum()

    seconds = alternate({"ours": _step(our_pass, vectors), "theirs": _step(their_pass, vectors)}, repeats)
    return {
        "ratios": {f"vq_train_{name}": seconds["theirs"] / seconds["ours"]},
        "nanoseconds_a_vector": {name: {who: 1e9 * each / count for who, each in seconds.items()}},
    }


def _step(forward: Callable[[Tensor], tuple[Tensor, Tensor]], vectors: Tensor) -> Callable[[], None]:
    """A training step with the smallest decoder there is, which wants zeros."""

    def step() -> None:
        x = vectors.clone().requires_grad_()
        quantised, loss = forward(x)
        (quantised.square().mean() + loss).backward()

    return step


if __name__ == "__main__":
    main()
