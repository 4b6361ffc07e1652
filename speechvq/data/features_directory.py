"""The features directory: `meta.json` with `frame_rate_hz`, and `UTT.npy` of numbers (N, C) per utterance."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechvq.data.codes_directory import FRAME_RATE, META, read_meta
from speechvq.errors import UserError
from speechvq.io.utterance_files import by_utterance, find_files, match_names, relative_names

_EXAMPLE = f'{{"{FRAME_RATE}": 50}}'


@dataclass(frozen=True)
class FeaturesDirectory:
    """An open features directory; features are read on demand."""

    path: Path
    frame_rate_hz: float  # frames per second
    files: Mapping[str, Path]  # by utterance, see `by_utterance`

    @property
    def names(self) -> dict[str, str]:
        """Path of each utterance below the folder, without ending, to be matched with other files."""
        return relative_names(self.files, self.path)

    def named_as(self, names: Mapping[str, str]) -> "FeaturesDirectory":
        """The utterances that are in `names` too, by the keys of `names`; see `match_names`.

        Raises:
            UserError: a file could be one of several.
        """
        matched = match_names(names, self.names)
        return dataclasses.replace(self, files={key: self.files[own] for key, own in matched.items()})

    def read(self, utterance: str) -> np.ndarray:
        """The features of an utterance, (N, C), float32.

        Raises:
            UserError: the file is truncated, or is not an array of finite numbers (N, C).
        """
        path = self.files[utterance]
        try:
            with np.errstate(over="ignore"):  # of the product of a hostile shape
                features = np.lib.format.open_memmap(path, mode="r")
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error}); check its mode") from error
        except Exception as error:  # the header is Python text, and its parser raises all kinds of errors
            raise UserError(f"{path}: not a complete .npy file; write it again with numpy.save") from error
        if features.ndim != 2 or features.dtype.kind not in "fiu":
            raise UserError(
                f"{path}: {features.dtype} of shape {features.shape}; expected numbers (N, C), one row per "
                "frame"
            )
        with np.errstate(over="ignore"):  # infinite values are refused below
            numbers = np.array(features, np.float32)
        if not np.isfinite(numbers).all():
            raise UserError(f"{path}: holds NaN or infinite numbers; make these features again")
        return numbers


def open_features(directory: Path) -> FeaturesDirectory:
    """Read `meta.json` and list the utterances, recursively.

    Raises:
        UserError: no such folder, `meta.json` missing or invalid, no features, or two files of one utterance.
    """
    files = by_utterance(find_files(directory, [".npy"], what="features"), directory)
    meta = read_meta(directory / META, _EXAMPLE)
    return FeaturesDirectory(directory, float(meta[FRAME_RATE]), files)
