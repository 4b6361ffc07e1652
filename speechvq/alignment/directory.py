"""A folder of alignments in any supported format: HTK labels, TextGrids and CTM files, at any depth."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from speechvq.alignment.ctm import Passage, find_passages, read_passage
from speechvq.alignment.intervals import Interval, read_lab
from speechvq.alignment.textgrid import read_textgrid
from speechvq.errors import UserError
from speechvq.io.utterance_files import find_files

ENDINGS = (".lab", ".textgrid", ".ctm")


@dataclass(frozen=True)
class AlignmentDirectory:
    """Location of the alignment of each utterance; the alignment is read on demand."""

    path: Path
    places: Mapping[str, Path | Passage]  # key: file name without ending, or first column of a CTM file
    tier: str | None = None  # of TextGrids; None selects the phone tier

    def read(self, utterance: str) -> list[Interval]:
        """Phone intervals of an utterance, sorted by time.

        Raises:
            UserError: the file cannot be read or is inconsistent; the message names file and line.
        """
        place = self.places[utterance]
        if isinstance(place, Passage):
            return read_passage(place)
        lab = place.suffix.lower() == ".lab"
        intervals = read_lab(place) if lab else read_textgrid(place, tier=self.tier)
        if not intervals:
            raise UserError(f"{place}: holds no intervals; align this utterance again, or remove the file")
        return intervals


def open_alignments(directory: Path, *, tier: str | None = None) -> AlignmentDirectory:
    """Find all alignments below a folder, or in one file such as the CTM of a corpus.

    Args:
        directory: searched recursively, hidden files and folders excepted; or one file.
        tier: name of a tier of TextGrids; None selects the phone tier.

    Raises:
        UserError: no such folder, no alignments in it, two alignments of one utterance, or an unsorted CTM.
    """
    if directory.is_file() and directory.suffix.lower() in ENDINGS:
        paths = [directory]
    else:
        paths = find_files(directory, ENDINGS, what="alignments")
    places: dict[str, Path | Passage] = {}
    for path in paths:
        for utterance, place in _places(path).items():
            if utterance in places:
                other = _file(places[utterance])
                raise UserError(f"{path} and {other} both belong to the utterance {utterance}; keep one")
            places[utterance] = place
    return AlignmentDirectory(directory, places, tier)


def read_alignments(directory: Path, *, tier: str | None = None) -> dict[str, list[Interval]]:
    """All alignments below a folder, by utterance.

    Raises:
        UserError: as `open_alignments` and `AlignmentDirectory.read` do.
    """
    found = open_alignments(directory, tier=tier)
    return {utterance: found.read(utterance) for utterance in found.places}


def _places(path: Path) -> Mapping[str, Path | Passage]:
    if path.suffix.lower() != ".ctm":
        return {path.stem: path}
    if not (passages := find_passages(path)):
        raise UserError(f"{path}: holds no intervals; remove the file")
    return passages


def _file(place: Path | Passage) -> Path:
    return place.path if isinstance(place, Passage) else place
