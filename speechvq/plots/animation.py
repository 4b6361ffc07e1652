"""Videos side by side as an animated GIF."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speechvq.io.atomic import atomic_file

GAP = 4  # pixels between two videos
BACKGROUND = 255
SCALE = 3  # frames of a world are small and are enlarged by this factor


def save_gif(path: Path, videos: Sequence[np.ndarray], *, frame_ms: int = 120) -> None:
    """Save videos side by side as a GIF that repeats; each frame has its own palette of 256 colors.

    Args:
        path: of the GIF; replaced if it exists.
        videos: (L, H, W, 3) each, uint8, all of one shape.
        frame_ms: duration of a frame in milliseconds.

    Raises:
        UserError: the disk is full or not writable.
    """
    from PIL import Image

    images = map(Image.fromarray, tile_videos(videos))
    frames = [image.quantize(256, dither=Image.Dither.NONE) for image in images]
    with atomic_file(path) as temporary:
        frames[0].save(
            temporary, format="GIF", save_all=True, append_images=frames[1:], duration=frame_ms, loop=0
        )


def tile_videos(videos: Sequence[np.ndarray]) -> np.ndarray:
    """Enlarge videos (L, H, W, 3) and join them with gaps: (L, height, width, 3), uint8."""
    large = [video.repeat(SCALE, 1).repeat(SCALE, 2) for video in videos]
    length, height = large[0].shape[:2]
    gap = np.full((length, height, GAP, 3), BACKGROUND, np.uint8)
    parts = [part for video in large for part in (gap, video)]
    return np.concatenate(parts[1:], 2)
