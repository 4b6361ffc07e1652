"""Videos as GIF, several side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speechvq.io.atomic import atomic_file

GAP = 4  # pixels between two videos
BACKGROUND = 255
ENLARGED = 3  # times; a frame of a world is small


def save_gif(path: Path, videos: Sequence[np.ndarray], *, frame_ms: int = 120) -> None:
    """Write videos side by side as a GIF that repeats; each frame has the 256 colours that suit it.

    Args:
        path: of the GIF; replaced when it exists.
        videos: (L, H, W, 3) each, uint8, all of one size and length.
        milliseconds: that a frame is shown.

    Raises:
        UserError: the disk is full or not writable.
    """
    from PIL import Image

    whole = map(Image.fromarray, tile_videos(videos))
    frames = [frame.quantize(256, dither=Image.Dither.NONE) for frame in whole]
    with atomic_file(path) as temporary:
        frames[0].save(
            temporary, format="GIF", save_all=True, append_images=frames[1:], duration=frame_ms, loop=0
        )


def tile_videos(videos: Sequence[np.ndarray]) -> np.ndarray:
    """Videos (L, H, W, 3) enlarged, with gaps between them: (L, height, width, 3), uint8."""
    large = [video.repeat(ENLARGED, 1).repeat(ENLARGED, 2) for video in videos]
    length, height = large[0].shape[:2]
    gap = np.full((length, height, GAP, 3), BACKGROUND, np.uint8)
    parts = [part for video in large for part in (gap, video)]
    return np.concatenate(parts[1:], 2)
