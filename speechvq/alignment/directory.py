"""A folder of alignments in any supported format: HTK and TIMIT labels, TextGrids and CTM, at any depth."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechvq.alignment.ctm import Passage, find_passages, read_passage
from speechvq.alignment.intervals import Interval, is_transcript, read_lab, read_phn, shift_intervals
from speechvq.alignment.labels import LabelMerger
from speechvq.alignment.textgrid import read_textgrid
from speechvq.errors import UserError
from speechvq.io.names import normalized
from speechvq.io.utterance_files import by_utterance, find_files, match_names, relative_name

FILE_ENDINGS = (".lab", ".phn", ".textgrid")  # of files of one utterance
ENDINGS = (*FILE_ENDINGS, ".ctm")


@dataclass(frozen=True)
class AlignmentDirectory:
    """Location of the alignment of each utterance; the alignment is read on demand."""

    path: Path
    places: Mapping[str, Path | Passage]  # by utterance: see `by_utterance`, or first column of a CTM file
    tier: str | None = None  # of TextGrids; None selects the phone tier
    merger: LabelMerger | None = field(default=None, compare=False)  # of labels; None keeps them as they are
    parts: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # see `shifted`

    @property
    def names(self) -> dict[str, str]:
        """Path of each utterance below the folder, without ending, to be matched with other files."""
        is_folder = self.path.is_dir()
        return {
            key: relative_name(place, self.path) if is_folder and isinstance(place, Path) else key
            for key, place in self.places.items()
        }

    def named_as(self, names: Mapping[str, str]) -> "AlignmentDirectory":
        """The alignments of the utterances `names`, by its keys; see `match_names`.

        Raises:
            UserError: an alignment could be of several utterances.
        """
        matched = match_names(names, self.names)
        return dataclasses.replace(self, places={key: self.places[own] for key, own in matched.items()})

    def shifted(self, parts: Mapping[str, tuple[float, float]]) -> "AlignmentDirectory":
        """The alignments of recordings that were cut at both ends.

        Args:
            parts: seconds that were cut at the beginning, and that were kept, by utterance; recordings that
                are left out were not cut.
        """
        return dataclasses.replace(self, parts=parts)

    def only(self, utterance: str) -> "AlignmentDirectory":
        """The alignment of one utterance, with labels as they are; small, so that it can be sent."""
        parts = {utterance: self.parts[utterance]} if utterance in self.parts else {}
        return AlignmentDirectory(self.path, {utterance: self.places[utterance]}, self.tier, None, parts)

    def read(self, utterance: str) -> list[Interval]:
        """Phone intervals of an utterance, sorted by time.

        Raises:
            UserError: the file cannot be read or is inconsistent; the message names file and line.
        """
        place = self.places[utterance]
        if isinstance(place, Passage):
            intervals = read_passage(place)
        else:
            intervals = read_alignment(place, tier=self.tier)
        if utterance in self.parts:
            start, seconds = self.parts[utterance]
            intervals = shift_intervals(intervals, start, seconds)
            if not intervals:
                raise UserError(f"{_file(place)}: ends before {start:g} s, where the recording was cut")
        return intervals if self.merger is None else self.merger.merge(intervals)

    def read_all(self) -> dict[str, list[Interval]]:
        """All alignments by utterance; errors as of `read`."""
        return {utterance: self.read(utterance) for utterance in self.places}

    @property
    def num_merged(self) -> int:
        """How many labels fewer there are after merging, among those read so far."""
        return self.merger.count if self.merger else 0

    def describe_labels(self) -> str:
        """A line about the labels that were merged so far; empty if there are none."""
        return self.merger.describe() if self.merger else ""


def read_alignment(path: Path, *, tier: str | None = None) -> list[Interval]:
    """Phone intervals of a file of one utterance, with one of FILE_ENDINGS.

    Raises:
        UserError: the file cannot be read, is inconsistent, or holds no intervals.
    """
    match path.suffix.lower():
        case ".lab":
            intervals = read_lab(path)
        case ".phn":
            intervals = read_phn(path)
        case _:
            intervals = read_textgrid(path, tier=tier)
    if not intervals:
        raise UserError(f"{path}: holds no intervals; align this utterance again, or remove the file")
    return intervals


def open_alignments(
    directory: Path, *, tier: str | None = None, keep_labels: bool = False
) -> AlignmentDirectory:
    """Find all alignments below a folder, or in one file such as the CTM of a corpus.

    Args:
        directory: searched recursively, hidden files and folders excepted; or one file.
        tier: name of a tier of TextGrids; None selects the phone tier.
        keep_labels: whether labels are kept as they are; otherwise stress, position in the word and names of
            silence are merged, see `labels`.

    Raises:
        UserError: no such folder, no alignments in it, two alignments of one utterance, or an unsorted CTM.
    """
    if directory.is_file() and directory.suffix.lower() in ENDINGS:
        paths = [directory]
    else:
        paths = find_files(directory, ENDINGS, what="alignments")
    paths = _without_transcripts(paths)
    root = directory if directory.is_dir() else directory.parent
    files = by_utterance([path for path in paths if path.suffix.lower() != ".ctm"], root)
    places: dict[str, Path | Passage] = dict(files)
    file_of = {normalized(path.stem): path for path in files.values()}
    for path in paths:
        for utterance, place in _passages(path).items() if path.suffix.lower() == ".ctm" else ():
            other = _file(places[utterance]) if utterance in places else file_of.get(utterance)
            if other is not None:
                raise UserError(f"{path} and {other} both belong to the utterance {utterance}; keep one")
            places[utterance] = place
    return AlignmentDirectory(directory, places, tier, None if keep_labels else LabelMerger())


def _without_transcripts(paths: Sequence[Path]) -> list[Path]:
    """The files without MFA's transcripts UTT.lab, where an alignment of the same name exists too."""
    count = Counter(normalized(path.stem) for path in paths)
    return [path for path in paths if count[normalized(path.stem)] == 1 or not is_transcript(path)]


def _passages(path: Path) -> Mapping[str, Passage]:
    if not (passages := find_passages(path)):
        raise UserError(f"{path}: holds no intervals; remove the file")
    return passages


def _file(place: Path | Passage) -> Path:
    return place.path if isinstance(place, Passage) else place
