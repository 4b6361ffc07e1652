"""A lhotse CutSet of recordings with their units as custom arrays (extra "lhotse").

The units stay in their `.npy` files, to which the cuts refer by absolute paths. `cut.load_codes()` reads the
codes within the cut, also after lhotse has truncated it, and `cut.codes.load()` reads all.
"""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from speechvq.audio.waveform import native_path
from speechvq.errors import UserError
from speechvq.io.atomic import atomic_file, writing

CODES, VECTORS = "codes", "encoder_features"  # names of the arrays; `features` of a cut are lhotse's own
FINGERPRINT = "fingerprint"  # of the model's codebook, also an attribute of each cut


class EncodedRecording(NamedTuple):
    """What a cut is made of."""

    name: str  # of the utterance
    audio: Path
    units: Path  # .npy file, (N,) codes or (N, D) vectors
    speaker: str = ""  # "" if unknown
    text: str | None = None


def write_cuts(path: Path, recordings: Iterable[EncodedRecording], meta: Mapping[str, Any]) -> int:
    """Write a CutSet atomically, cut by cut.

    Args:
        path: ends in .jsonl.gz.
        recordings: in the order of the cuts.
        meta: content of `meta.json`.

    Returns:
        The number of cuts.

    Raises:
        UserError: the disk is full or not writable, or a file cannot be read.
    """
    count = 0
    with atomic_file(path) as temporary, writing(path), open(temporary, "wb") as file:
        with gzip.GzipFile(
            filename="", mode="wb", fileobj=file, mtime=0
        ) as compressed:  # equal calls, equal files
            for recording in recordings:
                compressed.write(json.dumps(_cut(recording, meta)).encode() + b"\n")
                count += 1
    return count


def _cut(recording: EncodedRecording, meta: Mapping[str, Any]) -> dict[str, Any]:
    """The cut as lhotse writes it."""
    from lhotse import MonoCut, Recording, SupervisionSegment
    from lhotse.audio import AudioSource

    try:
        with soundfile.SoundFile(native_path(recording.audio)) as audio:
            rate, samples, channels = audio.samplerate, audio.frames, list(range(audio.channels))
        array = _array(recording.units.absolute(), float(meta["frame_rate_hz"]))
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{recording.audio}: no cut can be made of it ({error}); run the command again"
        ) from error
    source = AudioSource("file", channels, str(recording.audio.absolute()))
    seconds = samples / rate
    name, text, speaker = recording.name, recording.text, recording.speaker
    supervision = SupervisionSegment(name, name, 0.0, seconds, text=text, speaker=speaker or None)
    custom = {VECTORS if array.array.ndim == 2 else CODES: array, FINGERPRINT: str(meta["codebook"])}
    return MonoCut(
        id=name,
        start=0.0,
        duration=seconds,
        channel=0,
        supervisions=[supervision] if text or speaker else [],
        recording=Recording(name, [source], rate, samples, seconds),
        custom=custom,
    ).to_dict()


def _array(units: Path, rate: float) -> Any:
    """The manifest of an array in a `.npy` file, with frames at `rate` Hz."""
    from lhotse.array import Array, TemporalArray

    shape = np.load(units, mmap_mode="r", allow_pickle=False).shape
    stored = Array("numpy_files", str(units.parent), units.name, list(shape))
    return TemporalArray(stored, temporal_dim=0, frame_shift=1 / rate, start=0)
