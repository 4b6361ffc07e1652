"""The command export: ONNX graphs equal torch over lengths and batches; mistakes are one line."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from helpers.audio_files import save_tiny_model
from helpers.documents import Document
from helpers.tiny import ROOT, SPEAKERS, WAVENET
from speechvq import export, load
from speechvq.config import EncoderConfig, QuantizerConfig, SourceFilterConfig, SpeechConfig, VocoderConfig
from speechvq.speech.model import SpeechVQ
from speechvq.speech.model_directory import save_model

HOP, CODES = 160, 8
CONFIG = SpeechConfig(
    encoder=EncoderConfig(strides=(HOP,), channels=8, mel_bands=10, residual_blocks=1),
    quantizer=QuantizerConfig(num_codes=CODES, dim=4),
    wavenet=dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True),
    preemphasis=0.85,
    source_filter=SourceFilterConfig(filter_order=4, num_harmonics=4, mel_bands=10, channels=8, depth=2),
    vocoder=VocoderConfig(channels=8, hidden_channels=8, layers=2),
)
pytestmark = pytest.mark.filterwarnings("ignore")  # of torch.onnx


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three graphs of a tiny model, which is in `model` beside them."""
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    folder = tmp_path_factory.mktemp("graphs")
    torch.manual_seed(0)
    model = SpeechVQ(CONFIG, SPEAKERS).eval()
    model.speaker_f0.copy_(torch.tensor([100.0, 150.0, 200.0]))
    save_model(folder / "model", model)
    assert export.main(["--model", str(folder / "model"), "--out", str(folder)]) == 0
    return folder


def session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options)


def padded(rows: list[np.ndarray], fill: float = 0) -> np.ndarray:
    """Rows of different lengths as one array; what lies beyond must have no effect."""
    found = np.full((len(rows), max(map(len, rows))), fill, rows[0].dtype)
    for row, values in zip(found, rows):
        row[: len(values)] = values
    return found


@pytest.mark.parametrize("lengths", [[1], [6_400], [16_000, 40_001, 200], [163, 159, 161, 320]], ids=str)
def test_codes_and_vectors_equal_those_of_torch(lengths: list[int], graphs: Path) -> None:
    """With other levels, offsets, a silent row and amplitudes far above full scale."""
    rng, model = np.random.default_rng(0), load(graphs / "model")
    scales = [0.1, 300.0, 0.0, 1e-3]
    waves = [(s * rng.standard_normal(n) + 0.1 * s).astype(np.float32) for s, n in zip(scales, lengths)]
    inputs = {"wave": padded(waves, 9.0), "lengths": np.array(lengths)}
    codes, vectors = session(graphs / "encoder.onnx").run(None, inputs)
    for own, own_vectors, wave in zip(codes, vectors, waves):
        expected = model.features(wave)
        np.testing.assert_allclose(own_vectors[: len(expected)], expected, atol=2e-4)
        assert (own[: len(expected)] == model.encode(wave)).mean() >= 0.99  # of ties within rounding
        assert set(own[len(expected) :]) <= {-1}


@pytest.mark.parametrize("lengths", [[1], [30], [7, 50, 1]], ids=str)
def test_waveforms_and_contours_equal_those_of_torch(lengths: list[int], graphs: Path) -> None:
    rng, model = np.random.default_rng(1), load(graphs / "model")
    codes = [rng.integers(CODES, size=n) for n in lengths]
    voices, count = [SPEAKERS[i] for i in range(len(codes))], np.array(lengths)
    inputs = {"codes": padded(codes, -1), "speaker": np.arange(len(codes)), "lengths": count}
    if max(lengths) > 1:
        for own, each, voice in zip(session(graphs / "f0.onnx").run(None, inputs)[0], codes, voices):
            np.testing.assert_allclose(own[: len(each)], model.predict_f0(each, voice), rtol=1e-5)
    f0 = [np.where(rng.random(n) > 0.3, 90 + 20 * rng.random(n), 0).astype(np.float32) for n in lengths]
    noise = np.stack([np.random.default_rng(4).random(max(lengths) * HOP)] * len(lengths))
    inputs |= {"f0": padded(f0), "noise": noise}
    waves = session(graphs / "decoder.onnx").run(None, inputs)[0]
    for own, expected in zip(waves, model.decode(codes, voices, f0=f0, seed=4)):
        np.testing.assert_allclose(own[: len(expected)], expected, atol=1e-5 * np.abs(expected).max())
        assert not own[len(expected) :].any()


def test_the_graphs_state_their_opset(graphs: Path) -> None:
    import onnx

    facts = json.loads((graphs / "export.json").read_text())
    assert facts["speakers"] == list(SPEAKERS) and facts["hop"] == HOP and facts["opset"] == 18
    assert facts["codebook"] == load(graphs / "model").fingerprint()
    for part in facts["parts"]:
        graph = onnx.load(graphs / f"{part}.onnx")
        assert {each.version for each in graph.opset_import if not each.domain} == {18}


def test_the_example_without_torch_runs(
    graphs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The block of docs/onnx.md, with the tiny model's graphs."""
    [block] = [text for kind, text in Document(ROOT / "docs/onnx.md").fenced if kind == "python"]
    assert not re.search(r"torch|speechvq", block) and len(block.splitlines()) <= 14
    (tmp_path / "onnx").symlink_to(graphs)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    exec(block.replace("1088", "bob"), {})
    assert len(soundfile.read(tmp_path / "converted.wav")[0]) == 64_000


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ("encoder,decoder", "its decoder is a WaveNet"),
        ("f0", "has no F0 predictor"),
        ("encoder,vocoder", "no part 'vocoder'; there are encoder, f0, decoder"),
    ],
)
def test_parts_that_a_model_lacks(
    parts: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    model = save_tiny_model(tmp_path / "run")
    assert export.main(["--model", str(model), "--out", str(tmp_path / "out"), "--parts", parts]) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1 and not (tmp_path / "out").exists()
