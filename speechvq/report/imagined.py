"""Sampled videos on a page, as `imagine` made them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from speechvq.errors import UserError

STRIP, ANIMATION = "imagined.png", "imagined.gif"


class ImaginedVideo(NamedTuple):
    """A sampled video as a strip of frames and as an animation."""

    name: str  # of its folder; recipes name it by the actions
    strip: Path
    animation: Path


def imagined_videos(folders: Sequence[Path]) -> list[ImaginedVideo]:
    """The videos that `imagine --out` made, one per folder.

    Raises:
        UserError: a folder has no video.
    """
    videos = [ImaginedVideo(folder.resolve().name, folder / STRIP, folder / ANIMATION) for folder in folders]
    for path in (path for video in videos for path in video[1:]):
        if not path.is_file():
            raise UserError(
                f"{path}: no such video; give the folder that `python -m speechvq.imagine --out` made"
            )
    return videos
