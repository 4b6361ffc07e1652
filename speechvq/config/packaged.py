"""Configurations that come with the package, by name: the YAML files of `speechvq/configs/`."""

from pathlib import Path
from typing import NamedTuple

from speechvq.errors import UserError

FOLDER = Path(__file__).parents[1] / "configs"
SUFFIX = ".yaml"


class PackagedConfig(NamedTuple):
    """A configuration of the package."""

    name: str
    summary: str  # the first sentence of the file's leading comment


def packaged_configs() -> list[PackagedConfig]:
    """All configurations of the package, by name."""
    return [PackagedConfig(path.stem, _summary(path)) for path in sorted(FOLDER.glob(f"*{SUFFIX}"))]


def find_config(name: str | Path) -> Path:
    """The file of a configuration.

    Args:
        name: a file, or the name of a configuration of the package. A file of that name wins.

    Raises:
        UserError: neither. A path that ends in .yaml is returned as it is; its reader reports what is wrong.
    """
    path = Path(name)
    if path.suffix in (SUFFIX, ".yml") or (path.exists() and not path.is_dir()):
        return path
    packaged = FOLDER / f"{name}{SUFFIX}"
    if packaged.parent != FOLDER or not packaged.is_file():
        known = ", ".join(config.name for config in packaged_configs())
        raise UserError(f"{name}: no such configuration; give a .yaml file or one of {known}")
    return packaged


def _summary(path: Path) -> str:
    """The first sentence of the leading comment; it is part of the package, so it is trusted to have one."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    sentence, _, _ = " ".join(lines).partition(". ")
    return sentence.removesuffix(".")
