"""Scores of the stored sounds, each judged against its sentence."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from speechvq.audio.f0 import f0_contour, shift_f0
from speechvq.audio.waveform import read_waveform
from speechvq.evaluate.stages.sentences import Sentence, SpeakerEmbeddings
from speechvq.evaluate.stages.sounds import SoundKey, StoredSounds, digest
from speechvq.evaluate.stages.synthesis import RECORDINGS, REFERENCES
from speechvq.judges.sound_judges import Expectation, SoundJudges
from speechvq.results.stages import ScoredSound
from speechvq.speech.model import SpeechVQ


class SoundScorer:
    """Judges sounds, and reuses stored scores while sound, judges and expectation are the same."""

    def __init__(
        self,
        model: SpeechVQ,
        sounds: StoredSounds,
        judges: SoundJudges,
        texts: Mapping[str, str],
        embeddings: SpeakerEmbeddings | None,
    ) -> None:
        """
        Args:
            model: that made the sounds.
            sounds: where they are.
            judges: of the sounds.
            texts: by utterance.
            embeddings: of the speakers; None leaves the speaker similarity out.
        """
        self._model, self._sounds, self._judges = model, sounds, judges
        self._texts, self._embeddings = texts, embeddings
        self._target_f0 = cache(self._compute_target_f0)

    def score(self, key: SoundKey) -> ScoredSound:
        """Scores of a sound; the recording itself is the sound of the first stage.

        Raises:
            UserError: a recording cannot be read.
        """
        source, target = key.sentence
        path = source.path if key.stage == RECORDINGS else self._sounds.path(key)
        wave, expected = read_waveform(path), self._expectation(key)
        judged_by = digest([*self._judges.descriptions, *map(_as_bytes, expected)])
        scores, transcript = self._sounds.scores(
            key, wave, judged_by, lambda: self._judges.scores(wave, expected)
        )
        return ScoredSound(key.stage, source.utt, source.speaker, target, key.seed, transcript, scores)

    def _expectation(self, key: SoundKey) -> Expectation:
        source, target = key.sentence
        text = self._texts.get(source.utt)
        f0 = None if key.stage in REFERENCES else self._target_f0(key.sentence)
        if self._embeddings is None:
            return Expectation(text, None, None, f0)
        source_voice = self._embeddings.of_speaker(source.speaker, without=source.path)
        return Expectation(text, source_voice, self._embeddings.of_speaker(target), f0)

    def _compute_target_f0(self, sentence: Sentence) -> np.ndarray | None:
        """The contour that the model is given; None for a model that is not conditioned on F0."""
        if not self._model.config.wavenet.condition_on_f0:
            return None
        mean = float(self._model.speaker_f0[self._model.speaker_index(sentence.target)])
        return shift_f0(f0_contour(read_waveform(sentence.source.path)), mean)


def _as_bytes(value: str | np.ndarray | None) -> bytes:
    if value is None:
        return b"none"
    return value.encode() if isinstance(value, str) else np.round(value, 4).tobytes()
