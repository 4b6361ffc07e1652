"""A lhotse CutSet in `.jsonl` or `.jsonl.gz`, whose cuts become utterances (extra "lhotse").

Speaker and text are those of the cut's supervisions. A cut is a part of a recording in a file. Other audio,
which lhotse gets from shell commands or servers, is refused.
Cuts are skipped and counted if they are mixed, padded or of several channels, or have no single speaker.
"""

import gzip
import json
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from speechvq.audio.waveform import Segment, check_regular_file
from speechvq.data.corpora.recording import CorpusListing, Recording
from speechvq.errors import UserError, short_repr
from speechvq.io.names import is_file_name, normalized
from speechvq.io.reading import open_regular

REMEDY = "pip install 'speechvq[lhotse]'"
MAX_LINE = 1 << 24  # bytes of a cut; bounds the memory of a damaged file
SAVE = "write it to a file by lhotse's CutSet.save_audios first"


def recordings(cuts: Path, *, root: Path | None = None) -> CorpusListing:
    """The utterances of a CutSet.

    Args:
        cuts: of lhotse, `.jsonl` or `.jsonl.gz`.
        root: folder that relative paths of recordings begin in; None for the current one.

    Raises:
        UserError: the file is missing or damaged, has no usable cuts or audio that is not in files, or the
            extra is missing.
    """
    check_extra()
    skipped: Counter[str] = Counter()
    found: dict[str, Recording] = {}
    for number, line in enumerate(_lines(cuts), start=1):
        try:
            recording = _recording(_cut(line), root or Path())
        except UserError as error:
            raise UserError(f"{cuts}: line {number}: {error}") from error
        except Exception as error:  # damaged lines lead to errors of many kinds in lhotse
            reason = short_repr(str(error))
            raise UserError(
                f"{cuts}: line {number}: not a cut of lhotse ({reason}); give a CutSet"
            ) from error
        if isinstance(recording, str):
            skipped[recording] += 1
        elif found.setdefault(recording.utt, recording) is not recording:
            skipped["name taken by another utterance"] += 1
    if not found:
        reasons = "; ".join(f"{count} skipped: {reason}" for reason, count in skipped.most_common())
        raise UserError(f"{cuts}: no usable cuts ({reasons or 'it is empty'})")
    return CorpusListing(list(found.values()), skipped)


def check_extra() -> None:
    """Refuse CutSets without lhotse.

    Raises:
        UserError: the extra is missing.
    """
    try:
        import lhotse  # noqa: F401
    except ImportError as error:
        raise UserError(f"lhotse manifests need lhotse ({error}): {REMEDY}") from error


def _cut(line: bytes) -> Any:
    from lhotse.serialization import deserialize_item

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return deserialize_item(json.loads(line))


def _lines(path: Path) -> Iterator[bytes]:
    """The lines that are not blank; a compressed file is read as a stream."""
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        raise UserError(f"{path}: give a CutSet in .jsonl or .jsonl.gz, as lhotse's CutSet.to_file writes it")
    check_regular_file(path)
    try:
        with open_regular(path) as file, gzip.open(file) if path.suffix == ".gz" else file as lines:
            while line := lines.readline(MAX_LINE):
                if len(line) == MAX_LINE:
                    raise UserError(f"{path}: a line of more than {MAX_LINE} bytes, so not a CutSet")
                if line.strip():
                    yield line
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: damaged or truncated ({error}); copy it again") from error


def _recording(cut: Any, root: Path) -> Recording | str:
    """The utterance of a cut, or the reason why it is skipped.

    Raises:
        UserError: the audio is not in a file.
    """
    from lhotse import MonoCut

    if not isinstance(cut, MonoCut):
        return "mixed, padded or of several channels, or no cut"
    if cut.recording is None:
        return "features without a recording"
    if cut.recording.transforms:
        return "recording that lhotse would change when it loads it"
    speakers = {str(each.speaker) for each in cut.supervisions if each.speaker}
    if len(speakers) != 1:
        return "several speakers" if speakers else "no speaker"
    speaker, utt = normalized(speakers.pop()), normalized(str(cut.id)).replace("/", "_")
    if not is_file_name(utt) or not is_file_name(speaker):
        return "name of cut or speaker that cannot be that of a file"
    audio, channel = _source(cut)
    text = " ".join(" ".join(each.text.split()) for each in cut.supervisions if each.text) or None
    segment = Segment(float(cut.start), float(cut.duration), channel)
    is_whole = cut.start == 0 and cut.duration == cut.recording.duration and channel is None
    return Recording(utt, speaker, root / audio, text, segment=None if is_whole else segment)


def _source(cut: Any) -> tuple[str, int | None]:
    """The file of the cut, and which of its channels; None if it has only one."""
    source = next(each for each in cut.recording.sources if cut.channel in each.channels)
    if source.type == "command":
        raise UserError(f"cut {cut.id}: its audio comes from a shell command, which is not run; {SAVE}")
    if source.type != "file":
        raise UserError(f"cut {cut.id}: its audio is of type {source.type}; only files are read; {SAVE}")
    return str(source.source), source.channels.index(cut.channel) if len(source.channels) > 1 else None
