"""The utterances of a units directory in any format: `.npy` files, Parquet shards or text shards."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from speechvq.data.unit_formats.shards import SUFFIXES, Place, shard_places
from speechvq.errors import UserError
from speechvq.io.folders import files_below
from speechvq.io.utterance_files import by_utterance, find_files, match_names, regular_files, relative_names


@dataclass(frozen=True)
class UnitFiles:
    """Where the units of each utterance are. A key is an utterance's name, see `by_utterance`."""

    files: Mapping[str, Path]  # the file that holds the utterance, by key
    names: Mapping[str, str]  # path of the utterance below the folder, without ending, by key
    places: Mapping[str, Place] = field(default_factory=dict)  # rows of shards, by key; empty for .npy

    def named_as(self, names: Mapping[str, str]) -> "UnitFiles":
        """The utterances that are in `names` too, by the keys of `names`; see `match_names`.

        Raises:
            UserError: an utterance could be one of several.
        """
        keys = match_names(names, self.names)
        return UnitFiles(
            {key: self.files[own] for key, own in keys.items()},
            {key: self.names[own] for key, own in keys.items()},
            {key: self.places[own] for key, own in keys.items() if own in self.places},
        )


def find_unit_files(directory: Path, stated: object, *, what: str) -> UnitFiles:
    """The utterances of a units directory.

    Args:
        directory: searched recursively.
        stated: format by meta.json; None takes the first of `.npy`, `.parquet` and `.txt` that is there.
        what: plural name of the files, for messages.

    Raises:
        UserError: no such folder, no file of the format, a damaged shard, or two files of one utterance.
    """
    if stated is not None and stated not in SUFFIXES:
        raise UserError(f"{directory}: meta.json states another format than {', '.join(SUFFIXES)}")
    suffix = SUFFIXES[str(stated)] if stated else _present_suffix(directory)
    if suffix == SUFFIXES["npy"]:
        files = by_utterance(find_files(directory, [suffix], what=what), directory)
        return UnitFiles(files, relative_names(files, directory))
    return unit_files_of(shard_places(find_files(directory, [suffix], what=what)))


def unit_files_of(places: Mapping[str, Place]) -> UnitFiles:
    """The utterances of shards, by their place."""
    count = Counter(name.rpartition("/")[2] for name in places)
    keys = {name: last if count[last := name.rpartition("/")[2]] == 1 else name for name in places}
    return UnitFiles(
        {keys[name]: place.path for name, place in places.items()},
        {key: name for name, key in keys.items()},
        {keys[name]: place for name, place in places.items()},
    )


def _present_suffix(directory: Path) -> str:
    if directory.is_dir():
        for suffix in SUFFIXES.values():
            if regular_files(files_below(directory, [suffix])):
                return suffix
    return SUFFIXES["npy"]
