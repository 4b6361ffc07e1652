"""Writing the graphs as `.onnx` files (the optional extra "onnx")."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from speechvq.audio.f0 import F0_HOP
from speechvq.errors import UserError
from speechvq.io.atomic import atomic_file, write_json
from speechvq.speech.model import SpeechVQ
from speechvq.speech.onnx_graphs.decoder_graph import DecoderGraph, F0Graph
from speechvq.speech.onnx_graphs.encoder_graph import EncoderGraph

OPSET = 18
REMEDY = "pip install 'speechvq[onnx]'"
FACTS = "export.json"
_BATCH, _FRAMES = 2, 12  # of the example that the graphs are traced with


def check_extra() -> None:
    """Refuse the export without the libraries that it needs.

    Raises:
        UserError: the extra is missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"ONNX needs onnx and onnxscript ({error}): {REMEDY}") from error


def check_parts(model: SpeechVQ, parts: Sequence[str], name: object) -> None:
    """Refuse parts that a model does not have.

    Args:
        model: the model.
        parts: some of encoder, f0 and decoder.
        name: of the model, for the message.

    Raises:
        UserError: a WaveNet decoder, or no F0 predictor.
    """
    if "decoder" in parts and model.decoder.vocoder is None:
        raise UserError(
            f"{name}: its decoder is a WaveNet, which computes sample by sample and has no graph; give "
            "--parts encoder, or a model with a vocoder"
        )
    if "f0" in parts and model.decoder.f0_predictor is None:
        raise UserError(f"{name}: has no F0 predictor; leave f0 out of --parts")


def export_part(model: SpeechVQ, part: str, path: Path, *, harmonic_boost: float = 0.9) -> None:
    """Write a graph, atomically.

    Args:
        model: on the processor, in evaluation mode.
        part: encoder, f0 or decoder; see `EncoderGraph`, `F0Graph` and `DecoderGraph` for inputs and outputs.
        path: of the file.
        harmonic_boost: see `SourceFilter.forward`; fixed in the graph.

    Raises:
        UserError: the disk is full or not writable.
    """
    hop = model.config.hop
    codes = torch.zeros(_BATCH, _FRAMES, dtype=torch.int64)
    speaker, lengths = torch.zeros(_BATCH, dtype=torch.int64), torch.tensor([_FRAMES, _FRAMES - 3])
    f0 = torch.full((_BATCH, -(-_FRAMES * hop // F0_HOP)), 120.0)
    noise = torch.full((_BATCH, _FRAMES * hop), 0.3, dtype=torch.float64)
    batch, num_codes = Dim("batch"), Dim("codes", min=2)
    match part:
        case "encoder":
            wave = 0.1 * torch.ones(_BATCH, _FRAMES * hop - 3).cumsum(1).sin()
            shapes: tuple[Any, ...] = ({0: batch, 1: Dim.AUTO}, {0: batch})
            _export(EncoderGraph(model), {"wave": wave, "lengths": lengths * hop - 3}, shapes,
                    ["codes", "vectors"], path)  # fmt: skip
        case "f0":
            shapes = ({0: batch, 1: num_codes}, {0: batch}, {0: batch})
            inputs = {"codes": codes, "speaker": speaker, "lengths": lengths}
            _export(F0Graph(model), inputs, shapes, ["f0"], path)
        case "decoder":
            shapes = ({0: batch, 1: Dim.AUTO}, {0: batch}, {0: batch, 1: Dim.AUTO}, {0: batch, 1: Dim.AUTO},
                      {0: batch})  # fmt: skip
            inputs = {"codes": codes, "speaker": speaker, "f0": f0, "noise": noise, "lengths": lengths}
            _export(DecoderGraph(model, harmonic_boost), inputs, shapes, ["wave"], path)
        case _:
            raise ValueError(f"no part {part}")


def write_facts(folder: Path, model: SpeechVQ, parts: Sequence[str], harmonic_boost: float) -> None:
    """Write `export.json`: what a program without torch needs to know of the graphs.

    Raises:
        UserError: the disk is full or not writable.
    """
    content = {
        "opset": OPSET,
        "parts": list(parts),
        "sample_rate": model.config.sample_rate,
        "hop": model.config.hop,
        "frame_rate_hz": model.config.frame_rate,
        "num_codes": model.config.quantizer.num_codes,
        "codebook": model.fingerprint(),
        "model": model.digest(),
        "harmonic_boost": harmonic_boost,
        "speakers": list(model.speakers),
        "speaker_f0_hz": model.speaker_f0.tolist(),
    }
    write_json(folder / FACTS, content)


def _export(
    graph: nn.Module, inputs: dict[str, Tensor], shapes: tuple[Any, ...], outputs: list[str], path: Path
) -> None:
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph.eval(),
            tuple(inputs.values()),
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=list(inputs),
            output_names=outputs,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    with atomic_file(path) as temporary:
        program.save(temporary, external_data=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's messages on other libraries and on the names of axes."""
    names = ("torch.onnx", "torch.onnx._internal.exporter._registration", "onnxscript", "onnx_ir")
    levels = {name: logging.getLogger(name).level for name in names}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            for name in names:
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
