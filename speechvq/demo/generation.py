"""The work of the tab From nothing: codes sampled from a prior, and decoded."""

from pathlib import Path
from typing import Any

import numpy as np

from speechvq.demo.session import Session
from speechvq.demo.work_queue import Progress
from speechvq.errors import UserError
from speechvq.plots.generation import plot_generation
from speechvq.report.data_urls import image_url, waveform_url
from speechvq.speech import generation

MAX_SECONDS = 10.0
SAMPLED = 0.6  # of the work; the rest decodes


def generate_speech(
    session: Session, speaker: str, seconds: float, seed: int, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Sample codes from the prior, and decode them.

    Args:
        session: with a prior.
        speaker: name of a voice; empty to draw one at random.
        seconds: duration.
        seed: of all random numbers.
        folder: of the request, for temporary files.
        progress: gets the fraction done.

    Returns:
        The audio as a URL, a figure, and facts.

    Raises:
        UserError: no prior, an unknown speaker, or a duration out of range.
    """
    model, prior = session.model, session.prior
    if prior is None:
        raise UserError("Speech from nothing needs a prior; start the demo with --prior")
    if not 0 < seconds <= MAX_SECONDS:
        raise UserError(f"{seconds:g} s: choose more than 0 and at most {MAX_SECONDS:g}")
    (name,) = generation.choose_speakers(speaker, 1, model, prior, seed)
    prompt = generation.encode_prompt(model, np.zeros(0, np.float32))
    frames = max(round(seconds * prior.code_spec.frame_rate_hz), 1)
    (codes,) = generation.continue_prompt(
        prior,
        prompt,
        [name],
        frames,
        seed=seed,
        temperature=1.0,
        top_p=1.0,
        on_step=lambda done: progress(SAMPLED * done / frames),
    )
    wave = model.decode(
        codes,
        name,
        seed=seed,
        on_frame=lambda done: progress(SAMPLED + (1 - SAMPLED) * done / frames),
    )
    figure = folder / "generated.png"
    plot_generation(
        figure,
        {name: (wave, codes)},
        frame_rate=model.config.frame_rate,
        num_codes=model.config.quantizer.num_codes,
    )
    return {
        "audio": waveform_url(wave),
        "figure": image_url(figure),
        "speaker": name,
        "seed": seed,
        "file": f"generated_{name}_{seed}.flac",
    }
