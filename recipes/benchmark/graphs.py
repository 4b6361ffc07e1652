"""Speed of the ONNX graphs by onnxruntime beside that of torch, in processor time on one core."""

import argparse
import importlib.util
import json
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import speechvq
from speechvq import export
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from timing import alternate, one_core, rounds, write_part

SECONDS = (2, 10, 60)
PARTS = ("encoder", "f0", "decoder")


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=speechvq.DEFAULT_MODEL, help="a model with a vocoder")
    parser.add_argument("--src", type=Path, default=Path("docs/source.flac"), help="the speech that is used")
    parser.add_argument("--json", type=Path, required=True, help="write the numbers to this file")
    parser.add_argument(
        "--brief", action="store_true", help="the encoder, one round of two seconds, to try the script"
    )
    return parser


def main() -> None:
    """Export, and measure in this process, on one core."""
    arguments = build_parser().parse_args()
    if not all(map(importlib.util.find_spec, ("onnx", "onnxscript", "onnxruntime"))):
        print("graphs: not measured; pip install 'speechvq[onnx]'")
        return
    one_core()
    seconds, parts = (SECONDS[:1], PARTS[:1]) if arguments.brief else (SECONDS, PARTS)
    wave = read_waveform(arguments.src)
    write_part(
        arguments.json, measure(arguments.model, wave, seconds, parts, repeats=rounds(arguments.brief))
    )


def measure(
    name: str,
    wave: np.ndarray,
    seconds: Sequence[float],
    parts: Sequence[str] = PARTS,
    *,
    repeats: int,
) -> dict[str, Any]:
    """Times real time of encoder and decoder, by torch and by onnxruntime.

    Args:
        name: of the model.
        wave: (T,), float32, 16 kHz; repeated to each length.
        seconds: lengths of the recording.
        parts: all of PARTS, or the encoder alone, which is exported sooner.
        repeats: rounds that are counted.

    Returns:
        `onnx`: by length, `x_real_time` of each work and the agreement of the codes; `ratios`: onnxruntime
        against torch at the last length.
    """
    model, found = speechvq.load(name, "cpu"), {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.onnx
        if export.main(["--model", name, "--out", folder, "--parts", ",".join(parts)]) != 0:
            raise SystemExit(1)
        facts = json.loads((Path(folder) / "export.json").read_text())
        graphs = {part: _session(Path(folder) / f"{part}.onnx") for part in parts}
    for length in seconds:
        found[f"{length:g} s"] = _one_length(
            model, graphs, np.resize(wave, round(length * SAMPLE_RATE)), facts["hop"], repeats
        )
    last = found[f"{seconds[-1]:g} s"]["x_real_time"]
    works = [part for part in parts if part != "f0"]  # the F0 is a part of decoding
    ratios = {f"onnx_{part}": last[f"onnx {part}"] / last[f"torch {part}"] for part in works}
    return {"onnx": found, "ratios": ratios}


def _session(path: Path) -> Any:
    """A graph on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _one_length(
    model: speechvq.SpeechVQ, graphs: dict[str, Any], wave: np.ndarray, hop: int, repeats: int
) -> dict[str, Any]:
    """Both works by both programs, in turn."""
    speaker, codes = model.speakers[0], model.encode(wave)
    inputs = {"wave": wave[None], "lengths": np.array([len(wave)])}
    voice = {"codes": codes[None], "speaker": np.array([0]), "lengths": np.array([len(codes)])}

    def decode() -> np.ndarray:
        f0 = graphs["f0"].run(None, voice)[0]
        noise = np.random.default_rng(0).random((1, len(codes) * hop))
        return graphs["decoder"].run(None, voice | {"f0": f0, "noise": noise})[0]

    works = {
        "torch encoder": lambda: model.encode(wave),
        "onnx encoder": lambda: graphs["encoder"].run(["codes"], inputs)[0],
    }
    if "decoder" in graphs:
        works |= {"torch decoder": lambda: model.decode(codes, speaker), "onnx decoder": decode}
    with torch.inference_mode():
        seconds = alternate(works, repeats)
    own = graphs["encoder"].run(["codes"], inputs)[0][0]
    rates = {name: len(wave) / SAMPLE_RATE / each for name, each in seconds.items()}
    return {"x_real_time": rates, "equal_codes": float((own == codes).mean())}


if __name__ == "__main__":
    main()
