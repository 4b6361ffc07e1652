"""The targets of a conversion as a user names them: speakers of the model, and voice files.

A name that ends in .safetensors is a voice file, whose speaker has the name of the file. Any other name is a
speaker of the model, or else the voice file NAME.safetensors.
"""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from speechvq.errors import UserError
from speechvq.io.hub import is_hub_name
from speechvq.io.names import existing, normalized

ENDING = ".safetensors"
OWN = "own"  # as a target: resynthesis by the source's own speaker, to hear what the codes lose


def speaker_names(targets: Iterable[str]) -> list[str]:
    """The speaker of each target; those of voice files are named after the files.

    Raises:
        UserError: two targets have one name, which cannot be told apart in the results.
    """
    named: dict[str, str] = {}
    for target in targets:
        name = normalized(Path(target).name.removesuffix(ENDING))
        other = named.setdefault(name, target)
        if other != target:
            raise UserError(
                f"{other} and {target}: two voices named '{name}'; rename one of the files, or convert twice"
            )
    return list(named)


def speaker_position(name: str, speakers: Sequence[str]) -> int:
    """Position of a name in a model's speakers.

    Raises:
        UserError: no such speaker; the message lists the closest names.
    """
    known = normalized(name)
    if known not in speakers:
        near = difflib.get_close_matches(known, speakers, n=5, cutoff=0.0)
        raise UserError(
            f"unknown speaker '{name}'; nearest: {', '.join(near)} (--list-speakers shows all; "
            "enroll adds one)"
        )
    return speakers.index(known)


def voice_path(target: str, speakers: Iterable[str]) -> Path | None:
    """The voice file that a target names; None if it names one of the model's speakers, or no file.

    Raises:
        UserError: a name on the hub, which holds models and no voice files.
    """
    if is_hub_name(target):
        raise UserError(
            f"{target}: the hub has models, no voices; give --model {target} and one of its speakers"
        )
    if target.endswith(ENDING):
        return existing(Path(target))
    path = existing(Path(target + ENDING))
    return path if target not in speakers and path.is_file() else None
