"""Encoding as a function of a recording, for every engine, and the recordings that it is applied to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from speechvq.audio.waveform import read_audio
from speechvq.cli.sources import Source, SourceListing
from speechvq.errors import UserError
from speechvq.io.journal import Entry, Inputs, Journal, read_state
from speechvq.io.names import check_length
from speechvq.runtime.device import find_device
from speechvq.runtime.engine import Work
from speechvq.speech.model import SpeechVQ


class Recording(NamedTuple):
    """A recording, and what the journal says of it."""

    source: Source
    entry: Entry | None

    def is_finished(self, journal: Journal) -> bool:
        """Whether an earlier call encoded it, and nothing has changed since."""
        return self.entry is not None and journal.is_current(self.entry, [self.source.path])


class Encoded(NamedTuple):
    """The units of a recording; or why there are none, "" if an earlier call wrote them."""

    source: Source
    units: np.ndarray | None = None  # codes (N,) or features (N, D)
    inputs: Inputs | None = None  # state of the file when it was read
    change: str = ""  # conversion of the format, see `audio.waveform`
    problem: str = ""


@dataclass(frozen=True)
class RecordingListing:
    """The recordings of a shard, found one by one."""

    sources: SourceListing
    index: int  # of the shard
    count: int  # of shards
    journal: Journal
    size: int  # of the journal
    suffix: str  # of the file of each recording; "" if they share files

    def __iter__(self) -> Iterator[Recording]:
        """The recordings; raises UserError as `find_sources` does, and for a name that is too long."""
        finished = self.journal.read(self.size)
        for i, source in enumerate(self.sources):
            if self.suffix:
                check_length(self.journal.folder / f"{source.name}{self.suffix}")
            if i % self.count == self.index:
                yield Recording(source, finished.entry(source.name))


class EncodeWork(Work[Recording, Encoded]):
    """Encodes recordings by a model, which is sent to the workers."""

    def __init__(self, model: SpeechVQ, journal: Journal, device: str, *, features: bool) -> None:
        """
        Args:
            model: on the processor, in evaluation mode; each worker moves its own to the device.
            journal: of the output folder.
            device: see `runtime.device`.
            features: whether the units are the vectors before quantization.
        """
        self._model, self._journal, self.device, self._features = model, journal, device, features

    def start(self) -> Callable[[Recording], Encoded]:
        """Move the model to the device."""
        self._model.to(find_device(self.device))
        return self._encode

    def lost(self, item: Recording, reason: str) -> Encoded:
        """A problem of the recording."""
        return Encoded(item.source, problem=f"{item.source.path}: {reason}")

    def _encode(self, recording: Recording) -> Encoded:
        """The units of a recording, unless they are finished. Damaged audio is a problem, not an error."""
        source = recording.source
        if recording.is_finished(self._journal):
            return Encoded(source)
        inputs = read_state([source.path])
        try:
            audio = read_audio(source.path)
        except UserError as error:
            return Encoded(source, problem=str(error))
        compute = self._model.features if self._features else self._model.encode
        return Encoded(source, compute(audio.samples), inputs, audio.change())
