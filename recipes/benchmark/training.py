"""The training step against a common implementation.

Decoder S, six strided convolutions, K = 512, D = 64. Encoder, quantizer, loss and Adam are the same on both
sides; only the decoder is implemented differently.
"""

import argparse
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

import roofline
from sampling import multiply_adds
from speechvq.config import SpeechConfig
from speechvq.runtime.precision import supports_bf16
from speechvq.speech.model import SpeechVQ
from timing import REPEATS, alternate, measurement_parser, one_thread, rounds, write_part
from typical import TypicalWaveNet

CROP = 8_000  # samples, half a second
PRODUCTS = re.compile(r"^aten::.*(mm|conv|linear)")


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    return measurement_parser(__doc__)


def main() -> None:
    """Measure in this process."""
    arguments = build_parser().parse_args()
    one_thread()
    write_part(arguments.json, measure(SpeechConfig(), CROP, rounds(arguments.brief)))


def measure(config: SpeechConfig, crop: int, repeats: int = REPEATS) -> dict[str, Any]:
    """Steps of one crop in fp32 and under bf16 autocast, by both implementations."""
    products = {
        "torch": roofline.Products(lambda a, b: torch.from_numpy(a) @ torch.from_numpy(b)),
        "numpy": roofline.Products(np.matmul),
    }
    works: dict[str, Callable[[], object]] = {
        f"{name}_{precision}": _step(make(config), crop, precision)
        for precision in ("fp32", "bf16")
        for name, make in (("ours", our_model), ("typical", typical_model))
    }
    seconds = alternate(works | products, repeats)
    best = max(work.operations / seconds[name] for name, work in products.items())
    macs = multiply_adds(our_model(config).decoder.wavenet)
    return {
        "ratios": {
            "train_bf16_vs_naive_fp32": seconds["typical_fp32"] / seconds["ours_bf16"],
            "train_bf16_vs_naive_bf16": seconds["typical_bf16"] / seconds["ours_bf16"],
            "train_fp32_vs_naive_fp32": seconds["typical_fp32"] / seconds["ours_fp32"],
        },
        "training_samples_per_second": {name: crop / seconds[name] for name in works},
        # Forward, and backward to input and weights; the decoder's products only.
        "share_of_peak": {"train_fp32": 6 * macs * crop / seconds["ours_fp32"] / best},
        "share_of_products": {name: share_of_products(work) for name, work in works.items()},
        "roofline": {"products_gigaflops": best / 1e9},
        "bf16_products_in_hardware": supports_bf16(torch.device("cpu")),
    }


def share_of_products(work: Callable[[], object]) -> float:
    """Fraction of a step's processor time in products and convolutions; bfloat16 speeds up only these."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        work()
    spent = {event.key: event.self_cpu_time_total for event in profiler.key_averages()}
    return sum(time for name, time in spent.items() if PRODUCTS.search(name)) / sum(spent.values())


def our_model(config: SpeechConfig) -> SpeechVQ:
    """The package's model with random weights."""
    torch.manual_seed(0)
    return SpeechVQ(config, ("ada", "bob")).train()


class _TypicalDecoder(nn.Module):
    """The typical WaveNet as a likelihood."""

    def __init__(self, model: SpeechVQ) -> None:
        super().__init__()
        self.mulaw, self.wavenet = model.decoder.mulaw, TypicalWaveNet(model.decoder.wavenet)

    def nll(self, wave: Tensor, vectors: Tensor, speaker: Tensor) -> Tensor:
        bins = self.mulaw.encode(self.mulaw.preemphasize(wave))
        return F.cross_entropy(self.wavenet(bins, vectors, speaker).float(), bins)


def typical_model(config: SpeechConfig) -> SpeechVQ:
    """The same function of the same weights, with the common implementation of the decoder."""
    model = our_model(config)
    model.decoder = _TypicalDecoder(model)  # type: ignore[assignment]
    return model


def _step(model: SpeechVQ, crop: int, precision: str) -> Callable[[], Tensor]:
    """One update, as in training.loop."""
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    wave, speaker = 0.06 * torch.randn(1, crop), torch.zeros(1, dtype=torch.long)

    def step() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            losses = model(wave, speaker)
        optimizer.zero_grad()
        losses.total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return losses.nats

    return step


if __name__ == "__main__":
    main()
