"""A folder of alignments, whatever made them: HTK labels, TextGrids and CTM files, at any depth."""

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
    """Where the alignment of each utterance is; it is read when asked for."""

    path: Path
    places: Mapping[str, Path | Passage]  # by utterance: the name of its file, or the first column of a CTM
    tier: str | None = None  # of TextGrids; None looks for the phones

    def read(self, utterance: str) -> list[Interval]:
        """The phones of an utterance, in order of time.

        Raises:
            UserError: the file cannot be read or says what cannot be; the message names file and line.
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
    """Find every alignment below a folder, or in one file such as a corpus's CTM.

    Args:
        directory: searched through and through but for what is hidden.
        tier: of TextGrids, by name; None looks for the phones.

    Raises:
        UserError: no such folder, nothing in it, two alignments of one utterance, or a CTM out of order.
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
                raise UserError(f"{path} and {other} are both of the utterance {utterance}; keep one")
            places[utterance] = place
    return AlignmentDirectory(directory, places, tier)


def read_alignments(directory: Path, *, tier: str | None = None) -> dict[str, list[Interval]]:
    """Every alignment below a folder at once, by utterance.

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
