"""The features directory: `meta.json` with `frame_rate_hz`, and numbers (N, C) per utterance.

The features of an utterance are a file `UTT.npy`, or a row of a Parquet shard; see `data.unit_formats`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechvq.data.codes_directory import FORMAT, FRAME_RATE, META, read_meta
from speechvq.data.unit_formats.parquet import FEATURES
from speechvq.data.unit_formats.shards import read_place
from speechvq.data.unit_formats.unit_files import find_unit_files
from speechvq.data.utterance_directory import UtteranceDirectory
from speechvq.errors import UserError

_EXAMPLE = f'{{"{FRAME_RATE}": 50}}'


@dataclass(frozen=True)
class FeaturesDirectory(UtteranceDirectory):
    """An open features directory; features are read on demand."""

    def read(self, utterance: str) -> np.ndarray:
        """The features of an utterance, (N, C), float32.

        Raises:
            UserError: the file is truncated, or is not an array of finite numbers (N, C).
        """
        path = self.files[utterance]
        if place := self.units.places.get(utterance):
            return _finite(read_place(place, FEATURES), path)
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
            return _finite(np.array(features, np.float32), path)


def _finite(features: np.ndarray, path: Path) -> np.ndarray:
    if not np.isfinite(features).all():
        raise UserError(f"{path}: holds NaN or infinite numbers; make these features again")
    return features


def open_features(directory: Path) -> FeaturesDirectory:
    """Read `meta.json` and list the utterances, recursively.

    Raises:
        UserError: no such folder, `meta.json` missing or invalid, no features, or two files of one utterance.
    """
    if not directory.is_dir() or not (directory / META).exists():
        find_unit_files(directory, None, what="features")  # reports that there are no features at all
    meta = read_meta(directory / META, _EXAMPLE)
    units = find_unit_files(directory, meta.get(FORMAT), what="features")
    return FeaturesDirectory(directory, float(meta[FRAME_RATE]), units)
