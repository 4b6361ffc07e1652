"""The work of the tab Add a voice: enrollment of a speaker from a recording."""

import copy
from pathlib import Path
from typing import Any

from speechvq.demo.session import Session
from speechvq.demo.uploads import MAX_SECONDS, read_upload
from speechvq.demo.work_queue import Progress
from speechvq.enroll import MIN_SECONDS
from speechvq.errors import UserError
from speechvq.io.names import is_file_name, normalized
from speechvq.report.data_urls import file_url
from speechvq.speech.speakers.enrollment_audio import prepare_enrollment_audio
from speechvq.speech.speakers.voice_file import add_voice, save_voice
from speechvq.speech.speakers.voice_name import ENDING, OWN
from speechvq.training.tasks.enrollment import enroll

STEPS = 300  # updates of the speaker embedding, as of the command


def enroll_upload(
    session: Session,
    path: Path,
    name: str,
    folder: Path,
    progress: Progress,
    *,
    steps: int = STEPS,
) -> dict[str, Any]:
    """Fit a speaker embedding to a recording, and add it to the voices of the session.

    Args:
        session: of the demo.
        path: of the recording.
        name: of the new voice.
        folder: of the request, for temporary files.
        progress: gets the fraction done.
        steps: number of updates.

    Returns:
        The name, the voice file as a URL, and facts.

    Raises:
        UserError: a name that cannot be used, or a recording that cannot.
    """
    name = check_name(session, name)
    samples = read_upload(path).samples
    try:
        speech = prepare_enrollment_audio([samples], MAX_SECONDS)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if speech.seconds < MIN_SECONDS:
        raise UserError(
            f"{path}: {speech.seconds:.1f} s of speech; record at least {MIN_SECONDS:g} s, "
            "better half a minute"
        )
    # A copy, because training switches the modes of a model, which may be converting a stream meanwhile.
    model = copy.deepcopy(session.model)
    found = enroll(model, speech.waves, steps=steps, on_step=lambda done: progress(done / steps))
    file = folder / f"{name}{ENDING}"
    save_voice(file, found.voice, session.model)
    add_voice(session.model, name, found.voice)
    session.add_enrolled(name)
    return {
        "name": name,
        "file": file.name,
        "voice": file_url(file, "application/octet-stream"),
        "seconds": round(speech.seconds, 1),
        "f0": round(found.voice.f0),
        "nearest": found.nearest,
        "warnings": speech.warnings,
    }


def check_name(session: Session, requested: str) -> str:
    """The name of a new voice.

    Raises:
        UserError: it cannot name a file, or is taken.
    """
    name = normalized(requested.strip())
    if not name:
        raise UserError("Give the new voice a name")
    if not is_file_name(name):
        raise UserError(f"'{name}' cannot name a file; use letters, digits, spaces, '-', '_' and '.'")
    if name in (*session.model.speakers, OWN):
        raise UserError(f"'{name}' is the name of another voice; choose another name")
    return name
