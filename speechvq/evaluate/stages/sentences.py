"""The sentences of `evaluate stages`, sources with targets in turn, and the speakers' embeddings."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechvq.data.conversions import read_reference_audio
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError
from speechvq.judges.speaker_embedding import SpeakerEncoder

REFERENCES = 8  # recordings that represent a speaker, at most


class Sentence(NamedTuple):
    """A source, and the target that it is converted to."""

    source: Utterance
    target: str


def choose_sentences(
    utterances: Sequence[Utterance], targets: Sequence[str], limit: int, manifest: Path
) -> list[Sentence]:
    """Sources that no target speaks, evenly spaced over the list, with the targets in turn.

    Args:
        utterances: the recordings to choose from.
        targets: names of speakers.
        limit: at most this many; 0 for all.
        manifest: named in messages.

    Raises:
        UserError: every recording is by a target.
    """
    sources = [each for each in utterances if each.speaker not in targets]
    if not sources:
        raise UserError(
            f"{manifest}: every recording is by a target ({', '.join(targets)}); add recordings of another "
            "speaker, or choose other targets"
        )
    if limit and limit < len(sources):
        sources = [sources[i] for i in np.linspace(0, len(sources) - 1, limit).astype(int)]
    return [Sentence(source, targets[i % len(targets)]) for i, source in enumerate(sources)]


class SpeakerEmbeddings:
    """Embeddings of speakers by a few of their recordings."""

    def __init__(self, encoder: SpeakerEncoder, recordings: Sequence[Utterance]) -> None:
        """
        Args:
            encoder: of recordings.
            recordings: of all speakers; a few of each are used.
        """
        self._encoder, self._recordings = encoder, recordings
        self._embedded: dict[str, dict[Path, np.ndarray]] = {}

    def of_speaker(self, name: str, *, without: Path | None = None) -> np.ndarray | None:
        """Normalized mean embedding (256,) of a speaker; None without recordings.

        Args:
            name: of the speaker.
            without: a recording that is left out, because its own sound is compared.
        """
        if name not in self._embedded:
            own = [each for each in self._recordings if each.speaker == name]
            picks = np.linspace(0, len(own) - 1, min(REFERENCES, len(own))).astype(int)
            chosen = [own[i] for i in picks]
            waves = read_reference_audio(chosen)
            self._embedded[name] = {each.path: self._encoder.embed(wave) for each, wave in zip(chosen, waves)}
        vectors = [vector for path, vector in self._embedded[name].items() if path != without]
        if not vectors:
            return None
        total = np.sum(vectors, axis=0)
        return total / max(float(np.linalg.norm(total)), 1e-12)
