"""The model directory of a sequence prior: saving and loading, and hostile files."""

import dataclasses
import resource
from pathlib import Path

import pytest
import torch
import yaml

from helpers.tiny_prior import CODE_SPEC, CONDITIONED, CONFIGS, SPEAKERS, prior_of, random_walk
from speechvq.config import SequencePriorConfig, to_mapping
from speechvq.errors import UserError
from speechvq.io.model_directory import CONFIG, WEIGHTS
from speechvq.io.tensors import read_tensors, write_tensors
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.model_directory import load_prior, save_prior
from speechvq.priors.sequence.sampling import code_nll

FIELDS = {"num_codes": 8, "frame_rate_hz": 50.0, "codebook": "0123456789abcdef"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_prior(tmp_path / "m", prior_of(CONDITIONED))
    return tmp_path / "m"


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_prior(folder)
    line = str(caught.value)
    assert "\n" not in line and str(folder) in line and len(line) < 700
    return line


def rewrite(folder: Path, **changes: object) -> None:
    mapping = to_mapping(CONDITIONED) | {"code_spec": FIELDS, "speakers": list(SPEAKERS)} | changes
    (folder / CONFIG).write_text(yaml.safe_dump(mapping))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_loaded_prior_predicts_the_same(name: str, tmp_path: Path) -> None:
    saved = prior_of(CONFIGS[name])
    save_prior(tmp_path / "run/model", saved)
    for place in (tmp_path / "run", tmp_path / "run/model"):
        prior = load_prior(place)
        assert (prior.config, prior.code_spec, prior.speakers) == (saved.config, CODE_SPEC, saved.speakers)
        assert not prior.training
        assert (
            code_nll(prior, [random_walk(9, 0)], [0])[0] == code_nll(saved, [random_walk(9, 0)], [0])[0]
        ).all()
    assert sorted(path.name for path in (tmp_path / "run/model").iterdir()) == [CONFIG, WEIGHTS]


def test_a_folder_without_a_prior_is_refused(tmp_path: Path, folder: Path) -> None:
    assert "no model here (config.yaml and model.safetensors missing)" in refusal(tmp_path)
    rewrite(folder, kind="speech")
    assert "no prior over code sequences" in refusal(folder)
    rewrite(folder)
    (folder / WEIGHTS).unlink()
    assert "no model here (model.safetensors missing)" in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speakers": [1]}, "'speakers' must list"),
        ({"speakers": "ada"}, "'speakers' must list"),
        ({"speakers": []}, "contradict one another"),
        ({"speakers": ["a", "b", "c"]}, "asks for (3, 3)"),
        ({"code_spec": None}, "'code_spec' must give num_codes, frame_rate_hz and codebook"),
        ({"code_spec": {"num_codes": 8}}, "'code_spec' must give"),
        ({"code_spec": FIELDS | {"num_codes": 9}}, "asks for (10, 6)"),
        ({"code_spec": FIELDS | {"num_codes": 10**12}}, "expected 1 to 65536"),
        ({"code_spec": FIELDS | {"num_codes": True}}, "expected 1 to 65536"),
        ({"code_spec": FIELDS | {"frame_rate_hz": float("nan")}}, "expected codes per second"),
        ({"code_spec": FIELDS | {"frame_rate_hz": "50"}}, "expected codes per second"),
        ({"code_spec": FIELDS | {"codebook": 5}}, "expected a fingerprint"),
        ({"code_spec": FIELDS | {"codebook": "x" * 65}}, "expected a fingerprint"),
        ({"network": "gru"}, "tensor 'network.gru.weight_ih_l0' is missing"),
        ({"network": "lstm"}, "network: expected one of wavenet, gru"),
        ({"netwrok": "gru"}, "did you mean 'network'?"),
        ({"wavenet": {"layers": 60}}, "expected 1 to 14"),
    ],
)
def test_wrong_configurations_are_refused_by_name(
    folder: Path, changes: dict[str, object], message: str
) -> None:
    rewrite(folder, **changes)
    assert message in refusal(folder)


@pytest.mark.parametrize("network", ["wavenet", "gru"])
def test_the_largest_sizes_are_refused_before_memory_is_taken(folder: Path, network: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    huge = {
        "stacks": 32,
        "layers": 14,
        "residual_channels": 4096,
        "skip_channels": 4096,
        "hidden_channels": 4096,
    }
    rewrite(folder, network=network, wavenet=huge, gru={"layers": 16, "hidden_size": 4096}, speaker_dim=4096)
    assert "the configuration asks for" in refusal(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "kilobytes"


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system [ls]", "[1]", "speakers: [", "", "\x00"])
def test_invalid_yaml_is_refused(folder: Path, text: str) -> None:
    (folder / CONFIG).write_text(text)
    refusal(folder)


@pytest.mark.parametrize("damage", ["cut", "flip", "extra", "missing", "type", "nan"])
def test_damaged_weights_are_refused(folder: Path, damage: str) -> None:
    path = folder / WEIGHTS
    content = bytearray(path.read_bytes())
    tensors = {name: tensor.clone() for name, tensor in read_tensors(path).items()}
    if damage == "extra":
        tensors["more"] = torch.zeros(3)
    elif damage == "missing":
        del tensors["code_embedding.weight"]
    elif damage == "type":
        tensors["code_embedding.weight"] = tensors["code_embedding.weight"].double()
    elif damage == "nan":
        tensors["code_embedding.weight"][0, 0] = torch.nan
    write_tensors(path, tensors)
    if damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "flip":
        content[-1] ^= 64
        path.write_bytes(content)
    refusal(folder)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        save_prior(tmp_path / "file" / "m", prior_of())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, ""),
        ({"frame_rate_hz": 50.000000001}, ""),
        ({"num_codes": 9}, "8 codes, not 9"),
        ({"frame_rate_hz": 100.0}, "50 codes per second, not 100"),
        ({"codebook": "fedcba9876543210"}, "codebook 0123456789abcdef, not fedcba9876543210"),
        ({"codebook": ""}, "codebook 0123456789abcdef, not unknown"),
    ],
)
def test_differences_of_code_specs(change: dict[str, object], message: str) -> None:
    assert CODE_SPEC.difference(dataclasses.replace(CODE_SPEC, **change)) == message  # type: ignore[arg-type]


def test_unknown_codebooks_differ() -> None:
    unknown = CodeSpec(8, 50.0, "")
    assert unknown.difference(unknown) == "codebook unknown, not unknown"


def test_the_default_is_the_papers_network() -> None:
    config = SequencePriorConfig()
    assert config.network == "wavenet" and not config.speaker_dim
