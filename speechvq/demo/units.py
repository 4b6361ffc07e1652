"""The work of the tab Units: codes, phones and statistics of a recording."""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from speechvq.alignment.intervals import Interval
from speechvq.alignment.phones import SILENCE
from speechvq.audio.f0 import track_f0, voiced_fraction
from speechvq.audio.waveform import SAMPLE_RATE, root_mean_square
from speechvq.demo.session import Session
from speechvq.demo.uploads import read_upload, silence_warning
from speechvq.demo.work_queue import Progress
from speechvq.metrics.functional import codebook_statistics
from speechvq.plots.conversion import MAX_SECONDS as PLOTTED_SECONDS
from speechvq.plots.conversion import plot_conversion
from speechvq.report.data_urls import image_url, waveform_url


def describe_upload(session: Session, path: Path, folder: Path, progress: Progress) -> dict[str, Any]:
    """Codes, phones and statistics of a recording.

    Args:
        session: of the demo.
        path: of the recording.
        folder: of the request, for temporary files.
        progress: gets the fraction done.

    Returns:
        A figure, the codes, the phones as text, and the statistics as pairs of label and value.

    Raises:
        UserError: a recording that cannot be used.
    """
    wave, config = read_upload(path).samples, session.model.config
    progress(0.1)
    codes = session.model.encode(wave)
    progress(0.4)
    phones = recognized_phones(wave)
    progress(0.7)
    figure = folder / "units.png"
    plot_conversion(
        figure,
        wave,
        codes,
        {},
        title=path.stem,
        frame_rate=config.frame_rate,
        num_codes=config.quantizer.num_codes,
        phones=phones,
    )
    return {
        "source": waveform_url(wave),
        "warning": silence_warning(path, wave),
        "figure": image_url(figure),
        "codes": codes.tolist(),
        "phones": " ".join(each.phone for each in phones if each.phone != SILENCE),
        "statistics": [*signal_statistics(wave), *code_statistics(codes, session)],
        "seconds": round(len(wave) / SAMPLE_RATE, 2),
        "plotted_seconds": PLOTTED_SECONDS,
        "file": f"{path.stem}_codes.txt",
    }


def has_phones() -> bool:
    """Whether phones can be recognized: PocketSphinx is installed (extra "align")."""
    return find_spec("pocketsphinx") is not None


def recognized_phones(wave: np.ndarray) -> Sequence[Interval]:
    """Phones of a waveform (T,) at 16 kHz, recognized without a text; empty without PocketSphinx."""
    return _recognizer().intervals(wave) if has_phones() else ()


def signal_statistics(wave: np.ndarray) -> list[tuple[str, str]]:
    """Label and value of duration, level and F0 of a waveform (T,) at 16 kHz."""
    track = track_f0(wave)
    f0 = track.f0[np.isfinite(track.f0)]
    level = 20 * np.log10(max(root_mean_square(wave), 1e-6))
    found = [
        ("duration", f"{len(wave) / SAMPLE_RATE:.2f} s"),
        ("level (RMS of full scale)", f"{level:.0f} dB"),
    ]
    if not len(f0):
        return [*found, ("F0", "no voiced speech")]
    low, median, high = np.percentile(f0, (10, 50, 90))
    return [
        *found,
        ("median F0 of the whole recording", f"{median:.0f} Hz"),
        ("F0 of the whole recording, middle 80 %", f"{low:.0f} to {high:.0f} Hz"),
        ("voiced frames", f"{100 * voiced_fraction(track):.0f} %"),
    ]


def code_statistics(codes: np.ndarray, session: Session) -> list[tuple[str, str]]:
    """Label and value of the usage of codes (N,), N >= 1."""
    rate, num_codes = session.model.config.frame_rate, session.model.config.quantizer.num_codes
    usage = codebook_statistics(codes, num_codes)
    return [
        (f"codes, {rate:g} per second", str(len(codes))),
        ("different codes", f"{usage.active_codes} of {num_codes}"),
        ("perplexity of the codes", f"{usage.perplexity:.1f}"),
        ("mean duration of a code", f"{1000 * usage.mean_code_duration_frames / rate:.0f} ms"),
        ("entropy of the codes per second", f"{usage.entropy_bits * rate:.0f} bits"),
    ]


@cache
def _recognizer() -> Any:
    """The phone recognizer, which takes a second to load."""
    from speechvq.alignment.pocketsphinx import PhoneRecognizer

    return PhoneRecognizer()
