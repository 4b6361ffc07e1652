"""The figure of generated speech: spectrograms, each above the codes that it was decoded from."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.plots.panels import (
    INK,
    new_figure,
    plot_code_cells,
    plot_spectrogram,
    save_figure,
    set_panel_title,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SECONDS = 6.0


def plot_generation(
    path: Path,
    examples: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    frame_rate: float,
    num_codes: int,
    prompt_seconds: float = 0.0,
) -> None:
    """Save the figure of generated speech as PNG, 1600 pixels wide; see `generation_figure`.

    Raises:
        UserError: the disk is full or not writable.
    """
    figure = generation_figure(
        examples, frame_rate=frame_rate, num_codes=num_codes, prompt_seconds=prompt_seconds
    )
    save_figure(figure, path)


def generation_figure(
    examples: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    frame_rate: float,
    num_codes: int,
    prompt_seconds: float = 0.0,
) -> "Figure":
    """Spectrograms with their codes on one time axis; the first six seconds are shown.

    Args:
        examples: waveform (T,) at 16 kHz and codes (N,), by name; at least one.
        frame_rate: codes per second.
        num_codes: codebook size K.
        prompt_seconds: duration of the prompt, whose end is marked; 0 without a prompt.
    """
    seconds = min(max(len(wave) for wave, _ in examples.values()) / SAMPLE_RATE, MAX_SECONDS)
    figure = new_figure(0.6 + 2.6 * len(examples))
    panels = figure.subplots(2 * len(examples), 1, height_ratios=[5, 0.7] * len(examples), sharex=True)
    for (name, (wave, codes)), above, below in zip(examples.items(), panels[::2], panels[1::2]):
        plot_spectrogram(above, wave, seconds)
        set_panel_title(above, name)
        plot_code_cells(below, codes[: round(seconds * frame_rate)], num_codes, frame_rate)
        below.set(xlim=(0, seconds), yticks=[])
        below.set_ylabel("codes", rotation=0, ha="right", va="center")
        if 0 < prompt_seconds < seconds:
            above.axvline(prompt_seconds, color="white", linewidth=2, linestyle="--")
            below.axvline(prompt_seconds, color=INK, linewidth=2, linestyle="--")
    panels[-1].set_xlabel("time (s)")
    return figure
