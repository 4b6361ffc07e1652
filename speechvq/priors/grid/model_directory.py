"""The model directory of models over grids of codes: its configuration also holds the grid's shape."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

from speechvq.config import from_mapping, to_mapping
from speechvq.errors import UserError
from speechvq.io.model_directory import (
    find_model_directory,
    load_model_weights,
    read_model_config,
    save_model_directory,
)
from speechvq.priors.grid.pixelcnn import Grid

_LARGEST = Grid(1024, 1024, 256, 65_536)
Config = TypeVar("Config")
Model = TypeVar("Model", bound=nn.Module)


class GridModel(Protocol):
    """A model over grids of codes."""

    config: Any
    grid: Grid
    source: str  # fingerprint of the model that produces the codes

    def state_dict(self) -> dict[str, Tensor]:
        """The weights by name."""


def save_grid_model(folder: Path, model: GridModel, **more: object) -> None:
    """Write a model directory.

    Args:
        folder: created if missing.
        model: its grid and source are written into the configuration.
        more: further keys of the configuration.

    Raises:
        UserError: the disk is full or not writable.
    """
    known = {"grid": model.grid._asdict(), **more, "source": model.source}
    save_model_directory(folder, model.state_dict(), to_mapping(model.config) | known)


def load_grid_model(
    folder: str | Path,
    kind: str,
    what: str,
    config_type: type[Config],
    build: Callable[[Config, Grid, str, dict[str, Any]], Model],
    *,
    more: tuple[str, ...] = (),
) -> Model:
    """Read a model over grids, in evaluation mode; its files are not trusted.

    Args:
        folder: the directory, or a run directory that has one in `model/`.
        kind: required `kind` of the configuration.
        what: the kind in words, for the error message.
        config_type: the configuration's dataclass.
        build: builds the model from the configuration, the grid, the source and the further keys.
        more: names of further keys of the configuration.

    Raises:
        UserError: there is no such model, a file is damaged or hostile, or the weights do not fit the
            configuration.
    """
    folder = find_model_directory(folder)
    mapping = read_model_config(folder, [kind], what=what)
    fields, source = mapping.pop("grid", None), str(mapping.pop("source", None))
    others = {name: mapping.pop(name, None) for name in more}
    return load_model_weights(
        folder, lambda: build(from_mapping(config_type, mapping), read_grid(fields), source, others)
    )


def read_grid(fields: object) -> Grid:
    """The shape of a grid from a file that is not trusted.

    Raises:
        UserError: a size is missing or out of range.
    """
    sizes: list[Any] = [fields.get(name) for name in Grid._fields] if isinstance(fields, dict) else []
    if len(sizes) != 4 or not all(type(s) is int and 1 <= s <= most for s, most in zip(sizes, _LARGEST)):
        raise UserError(
            f"grid: expected {', '.join(Grid._fields)}, whole numbers of at most {tuple(_LARGEST)}"
        )
    return Grid(*sizes)
