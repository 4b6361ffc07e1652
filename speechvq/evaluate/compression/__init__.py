"""`python -m speechvq.evaluate compression`: rate and quality of image codes beside JPEG and WebP.

JPEG and WebP code every image with at most as many bits as its codes take, headers included.
"""

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tables import align, number
from speechvq.errors import UserError
from speechvq.evaluate.compression.codes import bits_per_code, prior_bits
from speechvq.metrics.images.codecs import CODECS, code_at
from speechvq.metrics.images.quality import psnr, ssim
from speechvq.results.compression import CodedQuality, CompressionResult
from speechvq.runtime.device import find_device
from speechvq.runtime.progress import progress

if TYPE_CHECKING:
    from speechvq.images.model_directory import CodeImageModel

BITS_PER_PIXEL = 24
SMALLEST = 11  # pixels; the window of SSIM, which is not measured on smaller images


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate compression", __doc__)
    flags.add_coded_images(parser)
    help = "measure the first images of the test split (default: all)"
    flags.add_number(parser, "--images", int, 1, 10**9, default=None, help=help)
    flags.add_device(parser)
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    from speechvq.images.codes import cached_codes, check_source, encode_images, require_codes
    from speechvq.images.dataset import check_size, read_images, training_images_root
    from speechvq.images.model_directory import load_image_model
    from speechvq.priors.grid.prior import load_grid_prior

    device = find_device(arguments.device)
    model = require_codes(load_image_model(arguments.run).to(device))
    root = arguments.data or training_images_root(arguments.run)
    images = read_images(root, "test")
    check_size(images, model.config.autoencoder.size, "--data")
    size, count = images.pixels.shape[-1], min(arguments.images or len(images.pixels), len(images.pixels))
    prior = None
    if arguments.prior:
        prior = load_grid_prior(arguments.prior).to(device)
        check_source(arguments.prior, prior.source, arguments.run)
        if prior.classes:
            raise UserError(f"{arguments.prior}: is conditioned on the class; give an unconditional prior")
    codes = encode_images(model, images._replace(pixels=images.pixels[:count])).astype(np.int64)
    train_set = read_images(root, "train")
    training = cached_codes(arguments.run, model, train_set, root, "train")
    fixed = np.full(count, codes[0].size * math.log2(model.grid.num_codes))
    fitted = None if prior is None else prior_bits(prior, codes)
    result = CompressionResult(
        run=str(arguments.run),
        prior=str(arguments.prior) if arguments.prior else None,
        images=count,
        size=size,
        codes=codes[0].size,
        coded=measure_coding(model, np.array(images.pixels[:count]), codes, fixed, fitted),
        bits_per_code=bits_per_code(training, codes, model.grid.num_codes, fitted),
    )
    print(compression_table(result))
    if arguments.json:
        result.save(arguments.json)


def measure_coding(
    model: "CodeImageModel",
    pixels: np.ndarray,
    codes: np.ndarray,
    fixed: np.ndarray,
    fitted: np.ndarray | None,
) -> dict[str, CodedQuality]:
    """Size and quality of the decoded codes, and of JPEG and WebP at the same sizes.

    Args:
        model: decodes the codes.
        pixels: (B, 3, H, W), uint8.
        codes: (B, grid, grid, G), int64.
        fixed: bits of an image's codes at log2 K bits each, (B,).
        fitted: bits of an image's codes under a prior, (B,), or None.
    """
    truth, decoded = pixels.transpose(0, 2, 3, 1), _decode(model, codes)
    coded = {}
    for name, bits in (("codes", fixed), ("codes, fitted prior", fitted)):
        if bits is None:
            continue
        coded[name] = _quality(decoded, truth, bits, bits)
        for codec in CODECS:
            images = progress(zip(truth, bits), total=len(truth), label=f"{codec}, {name}", unit="images")
            files = [code_at(image, codec, limit) for image, limit in images]
            sizes = np.array([file.bits for file in files], float)
            label = f"{codec} at the bits of the {name}"
            coded[label] = _quality(np.stack([file.pixels for file in files]), truth, sizes, bits)
    return coded


def _quality(images: np.ndarray, truth: np.ndarray, bits: np.ndarray, allowed: np.ndarray) -> CodedQuality:
    raw = truth[0].size / 3 * BITS_PER_PIXEL
    return CodedQuality(
        bits=float(bits.mean()),
        ratio=float(raw / bits.mean()),
        psnr=psnr(images, truth),
        ssim=float(ssim(images, truth).mean()) if truth.shape[1] >= SMALLEST else math.nan,
        over=int((bits > allowed).sum()),
    )


def _decode(model: "CodeImageModel", codes: np.ndarray, batch: int = 32) -> np.ndarray:
    """Mean images of codes, (B, H, W, 3), uint8."""
    import torch

    device = next(model.parameters()).device
    with torch.no_grad():
        parts = [model.decode(part.to(device)).cpu() for part in torch.from_numpy(codes).split(batch)]
    return torch.cat(parts).permute(0, 2, 3, 1).numpy()


def compression_table(result: CompressionResult) -> str:
    """A row per way of coding, and one per model of the codes."""
    header = ["", "bytes", "times fewer bits", "PSNR, dB ↑", "SSIM ↑", "over the limit"]
    rows = [
        [
            name,
            number(quality.bits / 8, 0),
            number(quality.ratio, 1),
            number(quality.psnr, 2),
            number(quality.ssim, 3),
            str(quality.over),
        ]
        for name, quality in result.coded.items()
    ]
    models = [[name, number(bits, 3)] for name, bits in result.bits_per_code.items()]
    return "\n".join(
        [
            f"{result.run}: {result.images} held-out images of {result.size}x{result.size} pixels, "
            f"{result.codes} codes each",
            align([header, *rows], left=1),
            align([["model of the codes", "bits per code ↓"], *models], left=1),
            "JPEG and WebP: headers included, at the highest quality within the limit",
        ]
    )
