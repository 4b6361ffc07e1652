"""Imagined videos on a page, and what was measured of them: what `imagine` and `evaluate rollout` made."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from speechvq.errors import UserError

STRIP, ANIMATION = "imagined.png", "imagined.gif"


class ImaginedVideo(NamedTuple):
    """A video in both forms."""

    name: str  # of its folder, which the recipe names by what is done
    strip: Path
    animation: Path


def imagined_videos(folders: Sequence[Path]) -> list[ImaginedVideo]:
    """What `imagine --out` made, a folder a video.

    Raises:
        UserError: a folder lacks a video.
    """
    videos = [ImaginedVideo(folder.resolve().name, folder / STRIP, folder / ANIMATION) for folder in folders]
    for path in (path for video in videos for path in video[1:]):
        if not path.is_file():
            raise UserError(f"{path}: no such video; give what `python -m speechvq.imagine --out` made")
    return videos
