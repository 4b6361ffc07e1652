"""Whose voice is it, and how good does it sound? Judged by networks that others have trained."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.data.conversions import Fold, Job, read_references
from speechvq.judges.metric import Heard
from speechvq.judges.speaker_embedding import SpeakerEncoder
from speechvq.judges.speech_quality import QualityJudge
from speechvq.metrics.summary import Figure, make_figure


class EmbeddingJudge:
    """Whose voice is it, by an embedding; voices are the middles of their references."""

    def __init__(self, folds: Sequence[Fold]) -> None:
        self._encoder = SpeakerEncoder()
        voice = cache(lambda recordings: self._encoder.voice(read_references(recordings)))
        self._voices: dict[Job, dict[str, np.ndarray]] = {}
        self._strangers: list[float] = []
        for fold in folds:
            voices = {name: voice(tuple(recordings)) for name, recordings in fold.references.items()}
            self._voices |= dict.fromkeys(fold.jobs, voices)
            points = np.stack(list(voices.values()))
            self._strangers += (points @ points.T)[~np.eye(len(points), dtype=bool)].tolist()
        self._wins: dict[str, list[float]] = {kind: [] for kind in ("converted", "unchanged", "own")}
        self._cosines: dict[str, list[float]] = {kind: [] for kind in self._wins}

    def hear(self, heard: Heard) -> None:
        """Compare conversion, source and the target's own recording with both voices."""
        voices = self._voices[heard.job]
        source, target = (voices[name] for name in (heard.job.utterance.speaker, heard.job.target))
        same_voice = heard.job.utterance.speaker == heard.job.target
        sounds = {"converted": heard.converted, "unchanged": heard.source, "own": heard.own}
        for kind, wave in sounds.items():
            if wave is None:
                continue
            point = self._encoder.embed(wave)
            self._cosines[kind].append(float(point @ target))
            self._wins[kind].append(np.nan if same_voice else float(point @ target > point @ source))

    def figures(self) -> list[Figure]:
        """How often the target wins, and the cosine of conversion and target; chance: of two other voices."""
        wins, likeness = self._wins, self._cosines
        return [
            make_figure(
                "embedding_wins", "embedding nearer to target's", "%", wins["converted"],
                chance=[0.5], unchanged=wins["unchanged"], own=wins["own"],
            ),
            make_figure(
                "embedding_cosine", "embedding, likeness to target", "cosine", likeness["converted"],
                chance=self._strangers, unchanged=likeness["unchanged"], own=likeness["own"],
            ),
        ]  # fmt: skip


class OpinionJudge:
    """How good the conversions sound, by DNSMOS; chance: white noise."""

    def __init__(self) -> None:
        self._judge = QualityJudge()
        self._opinions: dict[str, list[float]] = {kind: [] for kind in ("converted", "unchanged", "own")}

    def hear(self, heard: Heard) -> None:
        """Ask for an opinion on conversion, source and the target's own recording."""
        sounds = {"converted": heard.converted, "unchanged": heard.source, "own": heard.own}
        for kind, wave in sounds.items():
            if wave is not None:
                self._opinions[kind].append(self._judge.opinion(wave))

    def figures(self) -> list[Figure]:
        """The mean opinion, 1 to 5."""
        noise = self._judge.opinion(np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE))
        each = self._opinions
        baselines = {"chance": [noise], "unchanged": each["unchanged"], "own": each["own"]}
        return [make_figure("quality", "DNSMOS, overall quality", "of 5", each["converted"], **baselines)]
