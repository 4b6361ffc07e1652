"""The sounds of `evaluate stages` and their scores, kept in a folder and reused while nothing has changed.

OUT/STAGE/TARGET/UTT.wav, UTT.seed1.wav, ...   sounds
OUT/STAGE/TARGET/UTT.json, ...                 scores, and digests of what sound and scores were made from
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from speechvq.audio.waveform import write_waveform
from speechvq.evaluate.stages.sentences import Sentence
from speechvq.io.atomic import write_json
from speechvq.results.codec import to_json
from speechvq.speech.model import SpeechVQ


class SoundKey(NamedTuple):
    """Which sound."""

    stage: str
    sentence: Sentence
    seed: int


class StoredSounds:
    """Sounds and scores in a folder."""

    def __init__(self, folder: Path, weights: str) -> None:
        """
        Args:
            folder: created when something is stored.
            weights: digest of the model.
        """
        self._folder, self._weights = folder, weights

    def path(self, key: SoundKey) -> Path:
        """The sound's file."""
        seed = f".seed{key.seed}" if key.seed else ""
        return self._folder / key.stage / key.sentence.target / f"{key.sentence.source.utt}{seed}.wav"

    def is_made(self, key: SoundKey) -> bool:
        """Whether the sound exists and was made from this model, source and seed."""
        return self.path(key).is_file() and self._notes(key).get("made_from") == self._origin(key)

    def write(self, key: SoundKey, wave: np.ndarray) -> None:
        """Store a sound (T,), 16 kHz; its earlier scores are dropped."""
        write_waveform(self.path(key), wave)
        write_json(self._notes_path(key), {"made_from": self._origin(key)})

    def scores(
        self,
        key: SoundKey,
        wave: np.ndarray,
        judged_by: str,
        judge: Callable[[], tuple[dict[str, float], str]],
    ) -> tuple[dict[str, float], str]:
        """The stored scores and transcript of a sound, or those of `judge`, which are then stored.

        Args:
            key: of the sound.
            wave: (T,), the sound.
            judged_by: digest of the judges and of what they compare with.
            judge: makes them.
        """
        origin, notes = digest([judged_by, wave.tobytes()]), self._notes(key)
        if notes.get("scored_from") != origin:
            scores, transcript = judge()
            notes |= {"scored_from": origin, "scores": scores, "transcript": transcript}
            write_json(self._notes_path(key), to_json(notes))
        scores = {name: np.nan if value is None else value for name, value in notes["scores"].items()}
        return scores, notes["transcript"]

    def _origin(self, key: SoundKey) -> str:
        source = key.sentence.source.path.read_bytes()
        return digest([self._weights, key.stage, key.sentence.target, str(key.seed), source])

    def _notes_path(self, key: SoundKey) -> Path:
        return self.path(key).with_suffix(".json")

    def _notes(self, key: SoundKey) -> dict[str, Any]:
        """What is noted about a sound; {} if nothing readable is."""
        try:
            notes = json.loads(self._notes_path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return notes if isinstance(notes, dict) else {}


def digest(parts: Iterable[str | bytes]) -> str:
    """Sixteen hexadecimal digits that identify a sequence of texts and bytes."""
    whole = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        whole.update(len(content).to_bytes(8, "little") + content)
    return whole.hexdigest()[:16]


def weights_digest(model: SpeechVQ) -> str:
    """Sixteen hexadecimal digits that identify the weights and speakers of a model."""
    tensors = sorted(model.state_dict().items())
    named = (part for name, each in tensors for part in (name, each.detach().cpu().numpy().tobytes()))
    return digest([*named, *model.speakers])
