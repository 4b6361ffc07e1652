"""Merge the parts of the benchmark and print them as a table, with bar and limit beside each figure."""

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

from speechvq.io.atomic import atomic_file, write_text

# Target of each ratio, and its limit by measured bandwidths and products (AMD Zen 5).
BARS: dict[str, tuple[str, float, str]] = {
    "S_fp32": ("S fp32, one stream / cached torch step", 12, "17"),
    "S_bf16": ("S bf16, one stream / cached torch step", 25, "41"),
    "M_fp32": ("M fp32, one stream / cached torch step", 8, "11"),
    "M_bf16": ("M bf16, one stream / cached torch step", 16, "22"),
    "S_batched": ("S batched / cached torch step, 128 streams", 3, "5.4"),
    "M_batched": ("M batched / cached torch step, 128 streams", 0, ""),
    "vq_train_512": ("quantizer training step, K = 512 / vector-quantize-pytorch", 8, "15"),
    "vq_train_8192": ("quantizer training step, K = 8192 / vector-quantize-pytorch", 4, "10"),
    "vq_train_512_kept_memory": (
        "quantizer training step, K = 512, memory kept / vector-quantize-pytorch",
        0,
        "",
    ),
    "S_fp32_vs_wavenet_vocoder": ("S fp32, one stream / wavenet_vocoder", 60, ""),
    "S_bf16_vs_wavenet_vocoder": ("S bf16, one stream / wavenet_vocoder", 120, ""),
    "f0_vs_pyin": ("F0 / librosa.pyin", 0, ""),
    "f0_vs_dio": ("F0 / WORLD, DIO and StoneMask", 0, ""),
    "f0_vs_harvest": ("F0 / WORLD, Harvest and StoneMask", 0, ""),
    "kmeans_vs_sklearn": ("nearest of 512 centroids / scikit-learn's KMeans.predict", 0, ""),
    "abx_vs_fastabx": ("ABX error of 2,000 items / fastabx", 0, ""),
    "encode_x_real_time": ("encoding, times real time", 200, ""),
    "prepare_x_real_time": ("preparation of a recording, times real time", 100, ""),
    "train_bf16_vs_naive_fp32": ("training step bf16 / common implementation fp32", 3.5, "11"),
    "train_bf16_vs_naive_bf16": ("training step bf16 / common implementation bf16", 1.8, "5"),
    "train_fp32_vs_naive_fp32": ("training step fp32 / common implementation fp32", 1.5, ""),
    "onnx_encoder": ("encoder, onnxruntime / torch", 0, ""),
    "onnx_decoder": ("decoder, onnxruntime / torch", 0, ""),
    "video_rollout": ("rollout of video frames, cached / naive", 0, ""),
    "pixelcnn": ("sampling 32x32x1 codes from a PixelCNN, cached / naive", 10, ""),
}
# Distribution of the other program of a ratio, by the beginning of its key.
PROGRAMS = {
    "S_fp32_vs": "wavenet_vocoder",
    "S_bf16_vs": "wavenet_vocoder",
    "vq_train": "vector-quantize-pytorch",
    "f0_vs_pyin": "librosa",
    "f0_vs_": "pyworld-prebuilt",
    "kmeans_vs": "scikit-learn",
    "abx_vs": "fastabx",
}
AT_MOST: dict[str, tuple[str, float]] = {  # among the ratios too; 0 for no bar
    "decoder_default_rtf": ("decoding with the default model, real time factor", 0),
    "live_p99_ms": ("live conversion, 99th percentile of a block, ms", 0),
    "startup_seconds": ("start-up of convert beyond that of PyTorch, processor s", 1.5),
    "help_seconds": ("convert --help, processor s", 0.3),
    "convert_ten_seconds": ("converting 10 s, start-up included, processor s", 4),
}
ERRORS = {
    "max_logit_error_fp32": ("largest error of the fp32 kernels' logits", 1e-4),
    "kl_bf16_nats": ("mean KL of the bf16 kernel, nats", 1e-4),
}


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", type=Path, nargs="+", help="JSON files of the other scripts")
    parser.add_argument("--json", type=Path, required=True, help="write all numbers to this file")
    parser.add_argument("--figure", type=Path, help="write a bar chart of the ratios to this PNG file")
    return parser


def main() -> None:
    """Merge, write, print."""
    arguments = build_parser().parse_args()
    merged = merge([json.loads(path.read_text(encoding="utf-8")) for path in arguments.parts]) | {
        "machine": machine()
    }
    write_text(arguments.json, json.dumps(merged, indent=2) + "\n")
    print(table(merged))
    if arguments.figure is not None:
        plot_ratios(merged, arguments.figure)


def merge(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Merge the parts, nested dictionaries too; a key with two values is an error."""
    whole: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, dict):
                value = merge([whole.get(key, {}), value])
            elif key in whole:
                raise ValueError(f"{key} is in two parts")
            whole[key] = value
    if "logit_error" in whole:
        whole["max_logit_error_fp32"] = max(whole["logit_error"].values())
    if "live_p99_ms" in whole and "ratios" in whole:
        whole["ratios"]["live_p99_ms"] = whole["live_p99_ms"]
    return whole


def machine() -> dict[str, Any]:
    """The machine of the measurement."""
    import torch

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
    vectors = torch.backends.cpu.get_cpu_capability()
    return {"processor": model, "vectors": vectors, "cores": os.cpu_count(), "torch": torch.__version__}


def table(numbers: dict[str, Any]) -> str:
    """The available figures as Markdown."""
    lines = ["| what | measured | bar | limit | beside |", "| --- | --- | --- | --- | --- |"]
    for key, (name, bar, limit) in BARS.items():
        if key in numbers["ratios"]:
            verdict = f"{bar:g} {'' if numbers['ratios'][key] >= bar else '(missed)'}" if bar else ""
            if not _applies(key, numbers):
                verdict = f"{bar:g} (not on this processor)"
            beside = program(key, numbers)
            lines.append(
                f"| {name} | {numbers['ratios'][key]:.2f} | {verdict.strip()} | {limit} | {beside} |"
            )
    for key, (name, most) in AT_MOST.items():
        if key in numbers["ratios"]:
            verdict = (
                f"at most {most:g}{'' if numbers['ratios'][key] <= most else ' (missed)'}" if most else ""
            )
            lines.append(f"| {name} | {numbers['ratios'][key]:.2f} | {verdict} | | |")
    for key, (name, bar) in ERRORS.items():
        if key in numbers:
            verdict = f"{bar:g}{'' if numbers[key] <= bar else ' (missed)'}"
            lines.append(f"| {name} | {numbers[key]:.2g} | {verdict} | | |")
    return "\n".join([*lines, "", *_rest(numbers)])


def plot_ratios(numbers: dict[str, Any], path: Path) -> None:
    """Plot how many times faster each part is than what it is measured beside, to a PNG file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    keys = [key for key in BARS if key in numbers["ratios"] and not key.endswith("_real_time")]
    keys.sort(key=lambda key: (not program(key, numbers), BARS[key][0]), reverse=True)
    figure, axes = pyplot.subplots(figsize=(9, 0.3 * len(keys) + 1), layout="constrained")
    for place, key in enumerate(keys):
        ratio, bar = numbers["ratios"][key], BARS[key][1]
        kept = not bar or ratio >= bar or not _applies(key, numbers)
        color = "#999999" if not bar else "#3b75af" if kept else "#c0504d"
        axes.barh(place, ratio, color=color)
        axes.text(
            1.08 * (max(ratio, bar) if bar < 2 * ratio else ratio),
            place,
            f"{ratio:.3g}",
            va="center",
            fontsize=8,
        )
        if bar:
            axes.plot([bar, bar], [place - 0.4, place + 0.4], color="black")
    axes.set_yticks(range(len(keys)), [_label(key, numbers) for key in keys], fontsize=8)
    axes.margins(y=0.02)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set(xscale="log", xlabel="times as fast; line: bar (red: missed)")
    axes.set_xlim(right=3 * max(numbers["ratios"][key] for key in keys))
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=120)
    pyplot.close(figure)


def _label(key: str, numbers: dict[str, Any]) -> str:
    """What is measured, and the version of the other program."""
    version = program(key, numbers).rpartition(" ")[2]
    return BARS[key][0] + (f" {version}" if version else "")


def _applies(key: str, numbers: dict[str, Any]) -> bool:
    """Whether a bar holds for this processor: those of bfloat16 training need its products in hardware."""
    return not key.startswith("train_bf16") or numbers.get("bf16_products_in_hardware", True)


def program(key: str, numbers: dict[str, Any]) -> str:
    """The other program of a ratio and its version, or "" for a part of the benchmark itself."""
    for beginning, name in PROGRAMS.items():
        if key.startswith(beginning):
            return f"{name} {numbers.get('peers', {}).get(name, '')}".strip()
    return ""


def _rest(numbers: dict[str, Any]) -> list[str]:
    """The figures without a bar, one line each."""
    lines = []
    for key in ("samples_per_second", "real_time_factor", "roofline"):
        for size, values in numbers.get(key, {}).items():
            lines.append(f"{key.replace('_', ' ')}, {size}: {_listed(values)}")
    for key in ("share_of_bandwidth", "share_of_peak", "training_samples_per_second", "images_per_second"):
        if key in numbers:
            lines.append(f"{key.replace('_', ' ')}: {_listed(numbers[key])}")
    for what, values in numbers.get("grids_per_second", {}).items():
        lines.append(f"grids of codes per second, {what}: {_listed(values)}")
    if "images_gigaflops" in numbers:
        lines.append(f"image training step: {numbers['images_gigaflops']:.1f} GFLOP/s in its convolutions")
    for codes, values in numbers.get("nanoseconds_a_vector", {}).items():
        lines.append(f"quantizer, K = {codes}, nanoseconds per vector: {_listed(values)}")
    for key, values in numbers.get("scaling", {}).items():
        lines.append(f"scaling, {key.replace('_', ' ')}: {_listed(values)}")
    for length, values in numbers.get("onnx", {}).items():
        lines.append(f"ONNX, {length}: {_listed(values)}")
    for engine, values in numbers.get("engines", {}).items():
        lines.append(f"engine {engine}: {_listed(values)}")
    if "live" in numbers:
        lines.append(f"live conversion in blocks of 20 ms: {_listed(numbers['live'])}")
    for key in ("peer_samples_per_second", "f0_x_real_time", "abx_seconds", "command_seconds"):
        if key in numbers:
            lines.append(f"{key.replace('_', ' ')}: {_listed(numbers[key])}")
    lines += [f"growth, {name}: {grown['text']}" for name, grown in numbers.get("growth", {}).items()]
    lines += [f"peer {name}: {found}" for name, found in numbers.get("peers", {}).items()]
    if not numbers.get("bf16_products_in_hardware", True):
        lines.append(
            "This processor has no bfloat16 products; torch emulates them, so bf16 training is slow."
        )
    if "kl_bf16_model" in numbers:
        lines.append(f"KL of the bf16 kernel on: {numbers['kl_bf16_model']}")
    lines.append(f"machine: {_listed(numbers.get('machine', {}))}")
    return [f"- {line}" for line in lines]


def _listed(values: Any) -> str:
    if isinstance(values, dict):
        return ", ".join(f"{name} {_listed(value)}" for name, value in values.items())
    return (
        f"{values:,.0f}"
        if isinstance(values, float) and values >= 100
        else f"{values:.3g}"
        if isinstance(values, float)
        else str(values)
    )


if __name__ == "__main__":
    main()
