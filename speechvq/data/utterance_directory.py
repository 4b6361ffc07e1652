"""What the directories of codes and of features share: a rate, units by utterance, and their matching."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from speechvq.data.unit_formats.unit_files import UnitFiles

Directory = TypeVar("Directory", bound="UtteranceDirectory")


@dataclass(frozen=True)
class UtteranceDirectory:
    """An open directory with a `meta.json` and the units of each utterance, which are read on demand."""

    path: Path
    frame_rate_hz: float  # frames per second
    units: UnitFiles

    @property
    def files(self) -> Mapping[str, Path]:
        """The file that holds each utterance."""
        return self.units.files

    @property
    def names(self) -> Mapping[str, str]:
        """Path of each utterance below the folder, without ending, to be matched with other files."""
        return self.units.names

    def named_as(self: Directory, names: Mapping[str, str]) -> Directory:
        """The utterances that are in `names` too, by the keys of `names`; see `match_names`.

        Raises:
            UserError: a file could be one of several.
        """
        return dataclasses.replace(self, units=self.units.named_as(names))
