"""Samples per second of a decoder size: the kernels against the cached torch step, and their accuracy."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import roofline
import speechvq
from naive import sample_uncached
from speechvq.audio.f0 import F0_HOP
from speechvq.audio.f0_conditioning import REFERENCE_F0
from speechvq.audio.glottal_phase import phase_from_f0
from speechvq.config import WAVENET_SIZES, WaveNetConfig
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.numba_engine import teacher_forced_logits
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.sampling.sampler import sample
from timing import REPEATS, alternate, measurement_parser, one_core, rounds, write_part

HOP, DIM, RATE = 64, 64, 16_000


class Amounts(NamedTuple):
    """Samples per measurement: enough for the loop to dominate, few enough for five rounds."""

    naive: int = 4
    torch: int = 512
    kernel: int = 16_384
    torch_streams: int = 128  # with an eighth of the samples each
    kernel_streams: int = 64


AMOUNTS = {"S": Amounts(), "M": Amounts(naive=1, torch=192, kernel=4_096)}
BRIEF = Amounts(naive=1, torch=16, kernel=1_024, torch_streams=8, kernel_streams=8)


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--size", choices=list(WAVENET_SIZES), default="S")
    parser.add_argument("--model", type=Path, help="trained model or run on which bf16 is compared with fp32")
    return parser


def main() -> None:
    """Measure one size in this process."""
    arguments = build_parser().parse_args()
    one_core()
    amounts = BRIEF if arguments.brief else AMOUNTS[arguments.size]
    part = measure(arguments.size, WAVENET_SIZES[arguments.size], amounts, rounds(arguments.brief))
    if arguments.size == "S":
        part |= divergence(arguments.model)
    write_part(arguments.json, part)


def measure(size: str, config: WaveNetConfig, amounts: Amounts, repeats: int = REPEATS) -> dict[str, Any]:
    """All figures of a decoder of random weights, by the names of the benchmark's JSON."""
    wavenet = random_wavenet(config)
    macs = multiply_adds(wavenet)
    reading = {"fp32": roofline.Reading(4 * macs), "bf16": roofline.Reading(2 * macs)}
    adding = roofline.MultiplyAdds()
    samplers = {
        "naive": _sampling_uncached(wavenet, amounts.naive),
        "torch": _sampling(wavenet, 1, amounts.torch, engine="torch"),
        "fp32": _sampling(wavenet, 1, amounts.kernel, engine="numba"),
        "bf16": _sampling(wavenet, 1, amounts.kernel, engine="numba", precision="bf16"),
        "torch_batched": _sampling(wavenet, amounts.torch_streams, amounts.torch // 8, engine="torch"),
        "batched": _sampling(wavenet, amounts.kernel_streams, amounts.kernel // 16, engine="numba"),
    }
    works = {name: work for name, (work, _) in samplers.items()}
    works |= {f"read_{name}": work for name, work in reading.items()} | {"multiply_add": adding}
    seconds = alternate(works, repeats)
    rates = {name: samples / seconds[name] for name, (_, samples) in samplers.items()}
    bandwidth = {name: work.bytes / seconds[f"read_{name}"] for name, work in reading.items()}
    peak = adding.operations / seconds["multiply_add"]
    bytes_a_sample = {"fp32": 4 * macs, "bf16": 2 * macs}
    return {
        "ratios": {
            f"{size}_fp32": rates["fp32"] / rates["torch"],
            f"{size}_bf16": rates["bf16"] / rates["torch"],
            f"{size}_batched": rates["batched"] / rates["torch_batched"],
        },
        "samples_per_second": {size: rates},
        "real_time_factor": {size: {name: RATE / rates[name] for name in ("fp32", "bf16", "batched")}},
        "share_of_bandwidth": {
            f"{size}_{name}": bytes_a_sample[name] * rates[name] / bandwidth[name] for name in bandwidth
        },
        "share_of_peak": {f"{size}_batched": 2 * macs * rates["batched"] / peak},
        "roofline": {
            size: {
                "gigabytes_per_second": {n: b / 1e9 for n, b in bandwidth.items()},
                "gigaflops": peak / 1e9,
            }
        },
        "logit_error": {size: logit_error(wavenet)},
    }


def random_wavenet(config: WaveNetConfig) -> WaveNet:
    """A decoder with random weights in every part."""
    wavenet = WaveNet(config, DIM, num_speakers=4)
    for parameter in wavenet.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    return wavenet.eval()


def multiply_adds(wavenet: WaveNet) -> int:
    """Multiply-adds of layers and output per sample, equal to the number of weights read."""
    layers = sum(layer.gate.numel() + layer.out.numel() for layer in wavenet.layers)
    return layers + wavenet.hidden.weight.numel() + wavenet.logits.weight.numel()


def logit_error(wavenet: WaveNet, frames: int = 48, streams: int = 2) -> float:
    """Largest difference of the fp32 kernels' logits from the parallel forward pass, teacher-forced.

    The samples are the decoder's own. One stream and several streams use different kernels.
    """
    bins, vectors, speaker = _own_samples(wavenet, torch.randn(streams, frames, DIM))
    with torch.no_grad():
        parallel = wavenet(bins, vectors, speaker)
    together = teacher_forced_logits(wavenet, SynthesisRequest(vectors, speaker, HOP), bins)
    alone = teacher_forced_logits(wavenet, SynthesisRequest(vectors[:1], speaker[:1], HOP), bins[:1])
    return max(float((together - parallel).abs().max()), float((alone - parallel[:1]).abs().max()))


def divergence(model: Path | None, frames: int = 256) -> dict[str, Any]:
    """Mean KL divergence, nats, of the bf16 kernel from the parallel fp32 forward pass, teacher-forced.

    The samples are the model's own, for random codes, its first speaker and that speaker's mean F0.
    """
    if model is None:
        wavenet, hop = random_wavenet(WAVENET_SIZES["S"]), HOP
        vectors, pitch, phase = torch.randn(1, frames, DIM), None, None
    else:
        loaded = speechvq.load(model)
        wavenet, hop = loaded.decoder.wavenet, loaded.config.hop
        vectors = loaded.quantizer.lookup(torch.randint(loaded.config.quantizer.num_codes, (1, frames)))
        pitch, phase = constant_f0(loaded, frames)
    bins, vectors, speaker = _own_samples(wavenet, vectors, pitch, phase, hop)
    with torch.no_grad():
        exact = wavenet(bins, vectors, speaker, pitch, phase).double().log_softmax(-1)
    request = SynthesisRequest(vectors, speaker, hop, pitch, phase=phase)
    rounded = teacher_forced_logits(wavenet, request, bins, "bf16").double().log_softmax(-1)
    nats = float((exact.exp() * (exact - rounded)).sum(-1).mean())
    return {
        "kl_bf16_nats": nats,
        "kl_bf16_model": str(model) if model else "random weights: no trained model was given",
    }


def constant_f0(model: speechvq.SpeechVQ, frames: int) -> tuple[Tensor | None, Tensor | None]:
    """The first speaker's mean F0 as (1, N), Hz, and its phase bins (1, T), as far as the decoder is given
    them.
    """
    config = model.config
    if not config.wavenet.condition_on_f0:
        return None, None
    mean = float(model.speaker_f0[0]) or REFERENCE_F0
    samples = frames * config.hop
    phase = (
        phase_from_f0(np.full(-(-samples // F0_HOP), mean), samples)
        if config.wavenet.condition_on_phase
        else None
    )
    return torch.full((1, frames), mean), None if phase is None else torch.from_numpy(phase)[None]


def _own_samples(
    wavenet: WaveNet,
    vectors: Tensor,
    pitch: Tensor | None = None,
    phase: Tensor | None = None,
    hop: int = HOP,
) -> tuple[Tensor, Tensor, Tensor]:
    speaker = torch.zeros(len(vectors), dtype=torch.long)
    uniforms = torch.rand(len(vectors), vectors.shape[1] * hop, dtype=torch.float64)
    vectors = vectors.detach()
    return sample(wavenet, vectors, speaker, uniforms, f0=pitch, phase=phase), vectors, speaker


def _sampling(
    wavenet: WaveNet, streams: int, samples: int, **options: Any
) -> tuple[Callable[[], Tensor], int]:
    """A work that samples, and its total number of samples."""
    frames = -(-samples // HOP)
    vectors, speaker = torch.randn(streams, frames, DIM), torch.zeros(streams, dtype=torch.long)
    uniforms = torch.rand(streams, frames * HOP, dtype=torch.float64)
    return lambda: sample(wavenet, vectors, speaker, uniforms, **options), uniforms.numel()


def _sampling_uncached(wavenet: WaveNet, samples: int) -> tuple[Callable[[], Tensor], int]:
    """The same without a cache, late in a recording, where the receptive field is full."""
    frames = wavenet.receptive_field // HOP + 8
    vectors, speaker = torch.randn(1, frames, DIM), torch.zeros(1, dtype=torch.long)
    before = torch.randint(wavenet.config.mulaw_bins, (1, (frames - 4) * HOP))
    uniforms = torch.rand(1, samples, dtype=torch.float64)
    return lambda: sample_uncached(wavenet, vectors, speaker, uniforms, before, HOP), samples


if __name__ == "__main__":
    main()
