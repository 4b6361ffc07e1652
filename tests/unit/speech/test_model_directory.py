"""Model directories: a saved model decodes the same, and no untrusted file does harm."""

import dataclasses
import pickle
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import speechvq
from helpers.tiny import MODEL, SPEAKERS, noise, speech_config, speech_model
from speechvq.config import to_mapping
from speechvq.errors import UserError
from speechvq.io.model_directory import CONFIG, WEIGHTS
from speechvq.io.tensors import read_tensors, write_tensors
from speechvq.speech import model_directory
from speechvq.speech.model import SpeechVQ, load_model
from speechvq.speech.model_directory import save_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(tmp_path / "m", speech_model())
    return tmp_path / "m"


def refusal(folder: Path) -> str:
    """The one-line refusal of a model directory."""
    with pytest.raises(UserError) as caught:
        load_model(folder)
    line = str(caught.value)
    assert "\n" not in line and str(folder) in line and len(line) < 700
    return line


def rewrite(folder: Path, **changes: object) -> None:
    """Change top-level keys of a model's configuration."""
    mapping = to_mapping(MODEL) | {"speakers": list(SPEAKERS)} | changes
    (folder / CONFIG).write_text(yaml.safe_dump(mapping))


@pytest.mark.parametrize("mode", ["loss", "ema"])
def test_a_saved_model_encodes_and_decodes_the_same(tmp_path: Path, mode: str) -> None:
    saved, wave = speech_model(speech_config(mode)), noise(1, 300)[0].numpy()
    save_model(tmp_path / "run" / "model", saved)
    for folder in (tmp_path / "run" / "model", tmp_path / "run"):
        model = load_model(folder)
        assert model.config == saved.config and model.speakers == SPEAKERS and not model.training
        assert np.array_equal(model.encode(wave), saved.encode(wave))
        assert np.array_equal(model.convert(wave, "cyd", seed=2), saved.convert(wave, "cyd", seed=2))
        assert all(parameter.requires_grad for parameter in model.parameters())
    assert sorted(path.name for path in (tmp_path / "run" / "model").iterdir()) == [CONFIG, WEIGHTS]


@pytest.mark.parametrize(
    "options", [{"condition_on_f0": True}, {"condition_on_f0": True, "condition_on_phase": True}]
)
def test_every_option_of_the_decoder_is_saved(tmp_path: Path, options: dict[str, Any]) -> None:
    config = dataclasses.replace(MODEL, wavenet=dataclasses.replace(MODEL.wavenet, **options))
    saved = SpeechVQ(config, SPEAKERS)
    save_model(tmp_path, saved)
    model = load_model(tmp_path)
    assert model.config == config
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in saved.state_dict().items())


def test_a_folder_without_a_model_is_refused(tmp_path: Path, folder: Path) -> None:
    assert "no model here (config.yaml and model.safetensors missing)" in refusal(tmp_path)
    assert "no model here" in refusal(tmp_path / "gone")
    (folder / WEIGHTS).unlink()
    assert "no model here (model.safetensors missing)" in refusal(folder)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"speakers": None}, "'speakers' must list the speakers' names"),
        ({"speakers": []}, "'speakers' must list"),
        ({"speakers": [1, 2, 3]}, "'speakers' must list"),
        ({"speakers": ["a", "b"]}, "asks for (2, 3)"),
        ({"quantiser": {}}, "unknown key 'quantiser'; did you mean 'quantizer'?"),
        ({"jitter": float("nan")}, "jitter: expected a finite number"),
        ({"kind": "images"}, "kind: expected one of speech"),
        ({"wavenet": "S"}, "the configuration asks for"),
        ({"quantizer": to_mapping(MODEL)["quantizer"] | {"num_codes": 9}}, "asks for (9, 4)"),
        ({"quantizer": to_mapping(MODEL)["quantizer"] | {"num_codes": 10**12}}, "expected 1 to 65536"),
        ({"wavenet": to_mapping(MODEL)["wavenet"] | {"layers": 60}}, "expected 1 to 14"),
    ],
)
def test_mismatched_configurations_are_named(folder: Path, changes: dict[str, object], message: str) -> None:
    rewrite(folder, **changes)
    assert message in refusal(folder)


def test_the_largest_sizes_are_refused_before_memory_is_taken(folder: Path) -> None:
    """Every number at its upper bound would take terabytes; the size of the weights is checked first."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rewrite(
        folder,
        encoder={"strides": [2] * 16, "channels": 8192, "residual_blocks": 64},
        quantizer={"num_codes": 65_536, "dim": 4096},
        wavenet={
            "stacks": 32,
            "layers": 14,
            "residual_channels": 4096,
            "skip_channels": 4096,
            "mulaw_bins": 65_536,
        },
    )
    assert "the configuration asks for" in refusal(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "kilobytes"


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system [ls]", "[1]", "speakers: [", "", "\x00"])
def test_an_invalid_configuration_is_refused(folder: Path, text: str) -> None:
    (folder / CONFIG).write_text(text)
    refusal(folder)


@pytest.mark.parametrize("harm", ["cut", "flip", "extra", "missing", "shape", "type", "nan", "pickle"])
def test_damaged_weights_are_refused(folder: Path, harm: str) -> None:
    path = folder / WEIGHTS
    tensors, content = read_tensors(path), bytearray(path.read_bytes())
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    if harm == "extra":
        tensors["more"] = torch.zeros(3)
    elif harm == "missing":
        del tensors["quantizer.codebook"]
    elif harm == "shape":
        tensors["quantizer.codebook"] = torch.zeros(9, 4)
    elif harm == "type":
        tensors["quantizer.num_updates"] = torch.tensor(0.0)
    elif harm == "nan":
        tensors["quantizer.codebook"][0, 0] = torch.nan
    write_tensors(path, tensors)
    if harm == "cut":
        path.write_bytes(content[:-1])
    elif harm == "flip":
        content[-1] ^= 64
        path.write_bytes(content)
    elif harm == "pickle":
        path.write_bytes(pickle.dumps(tensors["quantizer.num_updates"].tolist()))
    refusal(folder)


def test_an_unwritable_folder_costs_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        save_model(tmp_path / "file" / "m", speech_model())


def test_float16_gives_nearly_the_same_model(tmp_path: Path) -> None:
    saved = speech_model()
    saved.save_pretrained(tmp_path / "whole")
    saved.save_pretrained(tmp_path / "half", half=True)
    sizes = [(tmp_path / name / WEIGHTS).stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.75 * sizes[0]
    model = SpeechVQ.from_pretrained(tmp_path / "half")
    assert model.fingerprint() == saved.fingerprint(), "a prior still recognizes it"
    for name, tensor in model.state_dict().items():
        exact = saved.state_dict()[name]
        assert tensor.dtype == exact.dtype and torch.allclose(tensor, exact, rtol=1e-3, atol=1e-6), name


def test_a_bundled_model_is_found_by_name_and_a_folder_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_directory, "BUNDLED", tmp_path / "pretrained")
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "pretrained" / "small", speech_model(seed=1), half=True)
    named = load_model("small")
    assert torch.allclose(named.quantizer.codebook, speech_model(seed=1).quantizer.codebook, rtol=1e-3)
    save_model(tmp_path / "small", speech_model(seed=2))
    assert torch.equal(load_model("small").quantizer.codebook, speech_model(seed=2).quantizer.codebook)
    with pytest.raises(UserError, match="or a name: small"):
        load_model("smal")


def test_the_bundled_models_load_and_are_small() -> None:
    folders = [model_directory.BUNDLED / name for name in model_directory.bundled_models()]
    assert sum(path.stat().st_size for folder in folders for path in folder.iterdir()) < 20 << 20
    for name in model_directory.bundled_models():
        folder = model_directory.BUNDLED / name
        assert load_model(name).speakers and (folder / "MODEL_CARD.md").is_file()
    assert speechvq.DEFAULT_MODEL in model_directory.bundled_models()
