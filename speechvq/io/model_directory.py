"""The model directory: `config.yaml` with the model's `kind` and settings, and `model.safetensors`."""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from speechvq.errors import UserError, short_repr
from speechvq.io.hub import download, is_hub_name
from speechvq.io.reading import PERMISSION_REMEDY
from speechvq.io.yaml_files import read_yaml, write_yaml

if TYPE_CHECKING:  # PyTorch takes seconds; a folder without a model is refused before
    from torch import Tensor, nn

_CHECKPOINT = re.compile(r"stage_([0-9]{1,9})_step_([0-9]{1,18})")  # see `training.checkpoint`
CONFIG, WEIGHTS = "config.yaml", "model.safetensors"
Model = TypeVar("Model", bound="nn.Module")


def save_model_directory(folder: Path, tensors: "Mapping[str, Tensor]", config: Mapping[str, Any]) -> None:
    """Write a model directory, the weights first: a folder with a configuration is complete.

    Args:
        folder: created if missing.
        tensors: the model's state.
        config: the configuration and further keys, as plain data.

    Raises:
        UserError: the disk is full or not writable.
    """
    from speechvq.io.tensors import write_tensors

    write_tensors(folder / WEIGHTS, tensors)
    write_yaml(folder / CONFIG, config)


def find_model_directory(folder: str | Path, *, hint: str = "") -> Path:
    """The model directory itself: `folder`, or its `model/` if `folder` is a run directory.

    Args:
        folder: a model directory, a run directory, or hub:OWNER/NAME, which is downloaded.
        hint: added to the message if there is none.

    Raises:
        UserError: no model directory there.
    """
    folder = download(str(folder)) if is_hub_name(folder) else Path(folder)
    try:
        for candidate in (folder / "model", folder):
            if (candidate / WEIGHTS).is_file() and (candidate / CONFIG).is_file():
                return candidate
        missing = " and ".join(name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file())
        checkpoint = _newest_checkpoint(folder)
    except PermissionError as error:
        raise UserError(f"{error.filename}: {PERMISSION_REMEDY}") from None
    if checkpoint is not None:
        run, step = checkpoint.parents[1], checkpoint.name.rpartition("_")[2]
        if (run / "model" / WEIGHTS).is_file():
            raise UserError(f"{folder}: no model directory; the model of this run is {run / 'model'}")
        raise UserError(
            f"{folder}: its training is not finished; export the newest checkpoint with: python -m "
            f"speechvq.train --out {run} --set train.steps={step}; then give {run}"
        )
    raise UserError(
        f"{folder}: no model here ({missing} missing); give the folder that `train --out` made, or its "
        f"model/{hint}"
    )


def _newest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint of a run whose model is not exported; `folder` is the run or a folder in it."""
    for run in (folder, folder.parent, *folder.parents[1:2]):
        found = [marker.parent for marker in run.glob("checkpoints/stage_*_step_*/COMPLETE")]
        known = [(match, each) for each in found if (match := _CHECKPOINT.fullmatch(each.name))]
        if known:
            return max(known, key=lambda pair: (int(pair[0][1]), int(pair[0][2])))[1]
    return None


def read_model_config(folder: Path, kinds: Collection[str], *, what: str) -> dict[str, Any]:
    """The content of a model directory's `config.yaml`.

    Args:
        folder: the model directory itself.
        kinds: accepted values of the key `kind`.
        what: what these models are, for the message; for example "prior over code sequences".

    Raises:
        UserError: the file is damaged, or the model is of another kind.
    """
    mapping = read_yaml(folder / CONFIG)
    kind = mapping.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise UserError(
            f"{folder / CONFIG}: no {what}; kind: expected one of {', '.join(kinds)}, got {short_repr(kind)}"
        )
    return mapping


def load_model_weights(
    folder: Path,
    build: Callable[[], Model],
    *,
    shapes: Callable[[], Mapping[str, tuple[int, ...]]] | None = None,
) -> Model:
    """Build a model and load a model directory's weights into it, in evaluation mode.

    Weights saved as float16 become float32. A configuration whose sizes are not those of the weights' file is
    refused before memory is taken.

    Args:
        folder: the model directory itself.
        build: makes the model from the configuration; its UserErrors are reported as errors of `config.yaml`.
        shapes: shapes of some tensors that determine every size of the configuration, for a model that cannot
            be built on the device "meta". None builds on "meta" first and compares all shapes there.

    Raises:
        UserError: a damaged file, or weights that differ from the configuration.
    """
    import torch

    from speechvq.io.tensors import check_shapes, check_tensors, read_tensors

    path = folder / WEIGHTS
    model: Model | None = None
    try:
        if shapes is None:
            with torch.device("meta"):
                model = build()
            expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        else:
            expected = dict(shapes())
    except UserError as error:
        raise UserError(f"{folder / CONFIG}: {error}") from None
    tensors = {
        name: tensor.float() if tensor.dtype == torch.float16 else tensor
        for name, tensor in read_tensors(path).items()
    }
    check_shapes(path, tensors, expected)
    if model is None or _has_unsaved_buffers(model):
        model = build()
    check_tensors(path, tensors, model.state_dict())
    model.load_state_dict(tensors, assign=any(weight.is_meta for weight in model.parameters()))
    return model.eval()


def _has_unsaved_buffers(model: "nn.Module") -> bool:
    """Whether some buffers are not in the file, so that a model on "meta" cannot be filled from it."""
    saved = model.state_dict()
    return any(name not in saved for name, _ in model.named_buffers())
