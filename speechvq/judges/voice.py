"""Whose voice is it, and how good does it sound? Judged by networks that others have trained."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.data.conversions import ConversionPair, EvaluationFold, read_reference_audio
from speechvq.judges.metric import ConversionExample
from speechvq.judges.speaker_embedding import SpeakerEncoder
from speechvq.judges.speech_quality import DnsmosModel
from speechvq.metrics.summary import MetricSummary, summarize_metric


class SpeakerSimilarity:
    """Whose voice is it, by an embedding; voices are the middles of their references."""

    def __init__(self, folds: Sequence[EvaluationFold]) -> None:
        self._encoder = SpeakerEncoder()
        voice = cache(lambda recordings: self._encoder.voice(read_reference_audio(recordings)))
        self._voices: dict[ConversionPair, dict[str, np.ndarray]] = {}
        self._strangers: list[float] = []
        for fold in folds:
            voices = {name: voice(tuple(recordings)) for name, recordings in fold.speaker_references.items()}
            self._voices |= dict.fromkeys(fold.pairs, voices)
            points = np.stack(list(voices.values()))
            self._strangers += (points @ points.T)[~np.eye(len(points), dtype=bool)].tolist()
        self._wins: dict[str, list[float]] = {
            kind: [] for kind in ("converted", "source_baseline", "target_reference")
        }
        self._cosines: dict[str, list[float]] = {kind: [] for kind in self._wins}

    def update(self, heard: ConversionExample) -> None:
        """Compare conversion, source and the target's own recording with both voices."""
        voices = self._voices[heard.pair]
        source, target = (voices[name] for name in (heard.pair.source.speaker, heard.pair.target))
        same_voice = heard.pair.source.speaker == heard.pair.target
        sounds = {
            "converted": heard.converted,
            "source_baseline": heard.source,
            "target_reference": heard.target_reference,
        }
        for kind, wave in sounds.items():
            if wave is None:
                continue
            point = self._encoder.embed(wave)
            self._cosines[kind].append(float(point @ target))
            self._wins[kind].append(np.nan if same_voice else float(point @ target > point @ source))

    def compute(self) -> list[MetricSummary]:
        """How often the target wins, and the cosine of conversion and target; chance: of two other voices."""
        wins, likeness = self._wins, self._cosines
        return [
            summarize_metric(
                "embedding_target_preferred", "embedding nearer to target's", "%", wins["converted"],
                chance=[0.5], source_baseline=wins["source_baseline"], target_reference=wins["target_reference"],
            ),
            summarize_metric(
                "embedding_cosine", "embedding, likeness to target", "cosine", likeness["converted"],
                chance=self._strangers, source_baseline=likeness["source_baseline"], target_reference=likeness["target_reference"],
            ),
        ]  # fmt: skip


class SpeechQuality:
    """How good the conversions sound, by DNSMOS; chance: white noise."""

    def __init__(self) -> None:
        self._judge = DnsmosModel()
        self._opinions: dict[str, list[float]] = {
            kind: [] for kind in ("converted", "source_baseline", "target_reference")
        }

    def update(self, heard: ConversionExample) -> None:
        """Ask for an opinion on conversion, source and the target's own recording."""
        sounds = {
            "converted": heard.converted,
            "source_baseline": heard.source,
            "target_reference": heard.target_reference,
        }
        for kind, wave in sounds.items():
            if wave is not None:
                self._opinions[kind].append(self._judge.overall_score(wave))

    def compute(self) -> list[MetricSummary]:
        """The mean opinion, 1 to 5."""
        noise = self._judge.overall_score(np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE))
        each = self._opinions
        baselines = {
            "chance": [noise],
            "source_baseline": each["source_baseline"],
            "target_reference": each["target_reference"],
        }
        return [
            summarize_metric(
                "dnsmos_overall", "DNSMOS, overall quality", "of 5", each["converted"], **baselines
            )
        ]
