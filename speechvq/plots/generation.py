"""The picture of generated speech: spectrograms below one another, each above the codes it was spoken from."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.plots.panels import (
    DPI,
    INK,
    PIXELS,
    code_colors,
    plot_spectrogram,
    save_figure,
    set_panel_title,
)

SECONDS = 6.0  # shown of a sound


def plot_generation(
    path: Path,
    examples: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    frame_rate: float,
    num_codes: int,
    prompt_seconds: float = 0.0,
) -> None:
    """Draw sounds with their codes.

    Args:
        path: of the PNG, 1600 pixels wide; replaced when it exists.
        sounds: a sound (T,), 16 kHz, and its codes (N,), by name; one at least.
        frame_rate: codes a second.
        num_codes: K.
        prompt_seconds: where a prompt ends and what was generated begins; 0 where there is none.

    Raises:
        UserError: the disk is full or not writable.
    """
    from matplotlib.figure import Figure

    seconds = min(max(len(wave) for wave, _ in examples.values()) / SAMPLE_RATE, SECONDS)
    figure = Figure(figsize=(PIXELS / DPI, 0.6 + 2.6 * len(examples)), dpi=DPI, layout="constrained")
    panels = figure.subplots(2 * len(examples), 1, height_ratios=[5, 0.7] * len(examples), sharex=True)
    for (name, (wave, codes)), above, below in zip(examples.items(), panels[::2], panels[1::2]):
        plot_spectrogram(above, wave, seconds)
        set_panel_title(above, name)
        shown = codes[: round(seconds * frame_rate)]
        if len(shown):
            cells, end = code_colors(shown, num_codes)[None], len(shown) / frame_rate
            below.imshow(cells, aspect="auto", interpolation="nearest", extent=(0, end, 0, 1))
        below.set(xlim=(0, seconds), yticks=[], ylabel="codes")
        for axes in (above, below):
            if 0 < prompt_seconds < seconds:
                axes.axvline(
                    prompt_seconds, color="white" if axes is above else INK, linewidth=2, linestyle="--"
                )
    panels[-1].set_xlabel("seconds")
    save_figure(figure, path)
