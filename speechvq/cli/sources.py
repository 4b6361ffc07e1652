"""What `--src` may be: a sound file, a folder of them, or a manifest."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechvq.audio.waveform import describe_change, read_audio
from speechvq.data.corpora.recording import AUDIO_SUFFIXES
from speechvq.data.manifest import FILE_NAME, read_manifest
from speechvq.errors import UserError
from speechvq.runtime.logging import logger


@dataclass(frozen=True)
class Source:
    """One sound to work on, and the name of what comes of it."""

    name: str  # where it goes below --out, without ending
    path: Path
    speaker: str = ""  # where a manifest tells


def find_sources(src: Path, *, split: str = "", limit: int = 0) -> list[Source]:
    """The sounds that `--src` names.

    Args:
        src: a sound file; a folder, searched through and through but for what is hidden; a manifest, or a
            folder that holds one.
        split: of a manifest, only this split.
        limit: at most so many, spread evenly over all; 0 for all.

    Raises:
        UserError: nothing there, or two sounds of one name.
    """
    if limit < 0:
        raise UserError(f"--limit {limit}: give the number of sounds, or 0 for all")
    if src.suffix == ".tsv" or (src / FILE_NAME).is_file():
        chosen = [u for u in read_manifest(src) if split in ("", u.split)]
        found = [Source(u.utt, u.path, u.speaker) for u in chosen]
    elif src.is_dir():
        found = _in_folder(src)
    else:
        found = [Source(src.stem, src)]
    if not found:
        where = f"in split '{split}'" if split else f"({', '.join(sorted(AUDIO_SUFFIXES))})"
        raise UserError(f"{src}: no sounds {where}; give a file, a folder of sounds or a manifest")
    if limit and limit < len(found):
        found = [found[i] for i in np.linspace(0, len(found) - 1, limit).astype(int)]
    return found


def _in_folder(folder: Path) -> list[Source]:
    """Every sound in a folder and the folders in it, but for hidden ones such as macOS's `._` companions."""
    found: dict[str, Source] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts):
            continue
        source = Source(str(inside.with_suffix("")), path)
        if (other := found.setdefault(source.name, source)) is not source:
            raise UserError(
                f"{path} and {other.path.name}: what comes of them would have one name; rename one"
            )
    return list(found.values())


def read_sources(sources: list[Source], *, required: bool = True) -> Iterator[tuple[Source, np.ndarray]]:
    """Read one after the other: name and samples (T,) at 16 kHz; says on stderr what was changed.

    A bad file among several is named and passed over.

    Args:
        sources: what to read.
        required: whether it is an error when none can be read.

    Raises:
        UserError: no sound could be read.
    """
    good = 0
    for source in sources:
        try:
            sound = read_audio(source.path)
        except UserError as error:
            if required and len(sources) == 1:
                raise
            logger.warning("skipped: %s", error)
            continue
        good += 1
        if change := describe_change(sound.source_rate, sound.source_channels):
            logger.info("%s: %s", source.path, change)
        yield source, sound.samples
    if required and not good:
        raise UserError(f"none of {len(sources)} sounds could be read")
