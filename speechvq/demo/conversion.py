"""The work of the tab Convert: a recording in another voice, and samples of the voices."""

from pathlib import Path
from typing import Any

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.demo.session import EXAMPLE, Session
from speechvq.demo.uploads import read_upload, silence_warning
from speechvq.demo.work_queue import Progress
from speechvq.plots.conversion import MAX_SECONDS as PLOTTED_SECONDS
from speechvq.plots.conversion import plot_conversion
from speechvq.report.data_urls import image_url, waveform_url

SAMPLE_SECONDS = 3.5  # of a voice's sample: the first words of the example
CONVERTED = 0.9  # of the work; the rest draws the figure


def convert_upload(
    session: Session, path: Path, speaker: str, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Convert a recording.

    Args:
        session: of the demo.
        path: of the recording.
        speaker: name of the target.
        folder: of the request, for temporary files.
        progress: gets the fraction done.

    Returns:
        Source and conversion as audio URLs, a figure, and facts.

    Raises:
        UserError: an unknown speaker, or a recording that cannot be used.
    """
    model = session.model
    model.speaker_index(speaker)
    audio = read_upload(path)
    converted = _convert(session, audio.samples, speaker, progress)
    codes = model.encode(audio.samples)
    figure = folder / "conversion.png"
    plot_conversion(
        figure,
        audio.samples,
        codes,
        {speaker: converted},
        title=path.stem,
        frame_rate=model.config.frame_rate,
        num_codes=model.config.quantizer.num_codes,
    )
    return {
        "source": waveform_url(audio.samples),
        "warning": silence_warning(path, audio.samples),
        "converted": waveform_url(converted),
        "figure": image_url(figure),
        "file": f"{path.stem}_{speaker}.flac",
        "speaker": speaker,
        "change": audio.change(),
        "codes": len(codes),
        "seconds": round(len(audio.samples) / SAMPLE_RATE, 2),
        "plotted_seconds": PLOTTED_SECONDS,
    }


def voice_sample(session: Session, speaker: str, progress: Progress) -> dict[str, Any]:
    """The beginning of the example sentence in a voice, as an audio URL; kept for the next time.

    Raises:
        UserError: an unknown speaker.
    """
    session.model.speaker_index(speaker)
    if speaker not in session.samples:
        example = read_waveform(EXAMPLE)[: round(SAMPLE_SECONDS * SAMPLE_RATE)]
        wave = _convert(session, example, speaker, progress)
        session.samples[speaker] = {"audio": waveform_url(wave), "speaker": speaker}
    return session.samples[speaker]


def _convert(session: Session, wave: np.ndarray, speaker: str, progress: Progress) -> np.ndarray:
    """The conversion (T,) of a waveform (T,)."""
    model = session.model
    frames = max(len(wave) / model.config.hop, 1)
    progress(0)
    converted: np.ndarray = model.convert(
        wave, speaker, on_frame=lambda done: progress(CONVERTED * done / frames)
    )
    return converted
