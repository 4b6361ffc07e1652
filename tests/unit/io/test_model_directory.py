"""The model directory: round trip, run directories, half precision, and one line for every mistake."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from speechvq.errors import UserError
from speechvq.io.model_directory import (
    CONFIG,
    WEIGHTS,
    find_model_directory,
    load_model_weights,
    read_model_config,
    save_model_directory,
)


class Affine(nn.Module):
    """A model with a parameter, and a buffer that is not saved."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(dim, dtype=torch.float32))
        self.register_buffer("two", torch.tensor(2.0), persistent=False)


def save(folder: Path, *, half: bool = False) -> Affine:
    model = Affine(3)
    tensors = {name: tensor.half() if half else tensor for name, tensor in model.state_dict().items()}
    save_model_directory(folder, tensors, {"kind": "affine", "dim": 3})
    return model


def test_a_run_directory_has_the_model_below_it(tmp_path: Path) -> None:
    save(tmp_path / "run/model")
    (tmp_path / "run" / CONFIG).write_text("model: {}\n")  # the configuration of the run
    for folder in (tmp_path / "run", tmp_path / "run/model"):
        assert find_model_directory(folder) == tmp_path / "run/model"
    assert sorted(path.name for path in (tmp_path / "run/model").iterdir()) == [CONFIG, WEIGHTS]


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model here .config.yaml and model.safetensors missing.*/, or x"):
        find_model_directory(tmp_path, hint=", or x")
    save(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(UserError, match="no model here .model.safetensors missing."):
        find_model_directory(tmp_path)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    save(tmp_path)
    assert read_model_config(tmp_path, ["affine"], what="affine model") == {"kind": "affine", "dim": 3}
    with pytest.raises(UserError, match="no prior; kind: expected one of a, b, got 'affine'"):
        read_model_config(tmp_path, ["a", "b"], what="prior")


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("shapes", [None, lambda: {"weight": (3,)}])
def test_weights_are_loaded_as_float32_in_evaluation_mode(
    half: bool, shapes: Callable[[], dict[str, tuple[int, ...]]] | None, tmp_path: Path
) -> None:
    saved = save(tmp_path, half=half)
    model = load_model_weights(tmp_path, lambda: Affine(3), shapes=shapes)
    assert model.weight.dtype == torch.float32 and torch.equal(model.weight, saved.weight)
    assert not model.training and model.two == 2.0


def test_a_larger_model_is_refused_before_it_is_built(tmp_path: Path) -> None:
    save(tmp_path)

    def build() -> Affine:
        raise AssertionError("built")

    with pytest.raises(UserError, match=r"'weight' is \(3,\), the configuration asks for \(4,\)"):
        load_model_weights(tmp_path, build, shapes=lambda: {"weight": (4,)})
    with pytest.raises(UserError, match=r"asks for \(1000000000000,\)"):  # on the device "meta": no memory
        load_model_weights(tmp_path, lambda: Affine(10**12))


def test_an_invalid_configuration_is_reported_as_such(tmp_path: Path) -> None:
    save(tmp_path)

    def build() -> Affine:
        raise UserError("dim: expected 1 to 9")

    with pytest.raises(UserError, match="config.yaml: dim: expected 1 to 9"):
        load_model_weights(tmp_path, build)
