"""What the page works with: a model, its voices, and a prior if one was given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import speechvq
from speechvq.errors import UserError
from speechvq.priors.sequence.model_directory import load_prior
from speechvq.priors.sequence.prior import SequencePrior
from speechvq.runtime.device import find_device
from speechvq.speech.generation import find_difference
from speechvq.speech.model import SpeechVQ
from speechvq.speech.model_directory import find_prior, find_speech_model
from speechvq.speech.speakers.speaker_facts import FEW_MINUTES, SpeakerFacts, load_speaker_facts
from speechvq.speech.speakers.voice_file import add_voice, find_voices

EXAMPLE = Path(__file__).with_name("page") / "example.flac"  # speaker 19 of LibriSpeech, CC BY 4.0
NO_BREAK = "\u00a0"  # a space at which no line ends
SEXES = {"F": "woman", "M": "man"}


@dataclass
class Session:
    """The state of a running demo."""

    model: SpeechVQ
    name: Path  # of the model, as it was given
    facts: Mapping[str, SpeakerFacts] = field(default_factory=dict)  # by speaker
    prior: SequencePrior | None = None
    enrolled: list[str] = field(default_factory=list)  # voices that are not the model's own; newest first
    samples: dict[str, dict[str, Any]] = field(default_factory=dict)  # of voices that were played, by name

    def voices(self) -> list[dict[str, Any]]:
        """The voices: enrolled ones first, then those with the most training speech."""
        mean_f0 = dict(zip(self.model.speakers, self.model.speaker_f0.tolist()))
        own = [name for name in self.model.speakers if name not in self.enrolled]
        own.sort(key=lambda name: -(self.facts.get(name, SpeakerFacts()).minutes or 0))
        return [self._voice(name, mean_f0[name]) for name in [*self.enrolled, *own]]

    def add_enrolled(self, name: str) -> None:
        """Put a voice that the model has learned at the top."""
        self.enrolled.insert(0, name)

    def _voice(self, name: str, f0: float) -> dict[str, Any]:
        known = self.facts.get(name, SpeakerFacts())
        parts = [SEXES.get(known.sex, ""), f"mean {f0:.0f}{NO_BREAK}Hz" if f0 else ""]
        if name in self.enrolled:
            parts.insert(0, "added")
        elif known.minutes is not None:
            parts.append(
                f"{known.minutes:.0f}{NO_BREAK}min" if known.minutes >= 1 else f"under 1{NO_BREAK}min"
            )
        few = known.minutes is not None and known.minutes < FEW_MINUTES
        return {"name": name, "about": ", ".join(filter(None, parts)), "little": few}


def open_session(name: Path, prior: Path | None, device: str) -> Session:
    """Load the model, the prior, and the voices that were enrolled into the current folder.

    Args:
        name: the model, as of `speechvq.load`.
        prior: run of a prior; None takes that of the model, if it has one.
        device: as of `--device`.

    Raises:
        UserError: not a model, or a prior of another model.
    """
    model = speechvq.load(name, device)
    session = Session(model, name, load_speaker_facts(find_speech_model(name)))
    prior = prior or find_prior(name)
    if prior is not None:
        session.prior = load_prior(prior).to(find_device(device))
        if difference := find_difference(model, session.prior):
            raise UserError(
                f"{prior} is no prior of {name}: the model has {difference}; train one on this model's codes"
            )
    for voice_name, voice in find_voices(Path(), model).items():
        add_voice(model, voice_name, voice)
        session.enrolled.append(voice_name)
    return session
