"""Speaker similarity of conversions by a pretrained speaker embedding."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from speechvq.data.conversions import ConversionPair, EvaluationFold, read_reference_audio
from speechvq.data.manifest import Utterance
from speechvq.judges.metric import ConversionExample, by_content
from speechvq.judges.speaker_embedding import SpeakerEncoder
from speechvq.metrics.summary import MetricSummary, summarize_metric


class SpeakerSimilarity:
    """Cosine similarities to target and source speaker, and how often the target is closer than the source.

    The embedding of a speaker is the normalized mean over the speaker's references. Chance: 50 % for the
    preference, and the mean similarity of two different speakers for the cosines.
    """

    def __init__(self, folds: Sequence[EvaluationFold]) -> None:
        """
        Args:
            folds: conversions to measure, with the references of every speaker.

        Raises:
            UserError: Resemblyzer is not installed.
        """
        self._encoder = SpeakerEncoder()

        @cache
        def speaker_embedding(recordings: tuple[Utterance, ...]) -> np.ndarray:
            return self._encoder.embed_speaker(read_reference_audio(recordings))

        self._speakers: dict[ConversionPair, dict[str, np.ndarray]] = {}
        self._chance_cosines: list[float] = []
        for fold in folds:
            speakers = {
                name: speaker_embedding(tuple(each)) for name, each in fold.speaker_references.items()
            }
            self._speakers |= dict.fromkeys(fold.pairs, speakers)
            embeddings = np.stack(list(speakers.values()))
            different = ~np.eye(len(embeddings), dtype=bool)
            self._chance_cosines += (embeddings @ embeddings.T)[different].tolist()
        self._embed = by_content(self._encoder.embed)
        self._preferred: dict[str, list[float]] = {"values": []}
        self._to_target: dict[str, list[float]] = {"values": []}
        self._to_source: dict[str, list[float]] = {"values": []}

    def update(self, example: ConversionExample) -> None:
        """Compare the conversion and the baselines with both speakers."""
        speakers = self._speakers[example.pair]
        source_name, target_name = example.pair.source.speaker, example.pair.target
        source, target = speakers[source_name], speakers[target_name]
        for kind, wave in example.sounds().items():
            embedding = self._embed(wave)
            to_source, to_target = float(embedding @ source), float(embedding @ target)
            preferred = np.nan if source_name == target_name else float(to_target > to_source)
            self._to_source.setdefault(kind, []).append(to_source)
            self._to_target.setdefault(kind, []).append(to_target)
            self._preferred.setdefault(kind, []).append(preferred)

    def compute(self) -> list[MetricSummary]:
        """Preference for the target, and cosine similarity to the target and to the source speaker."""
        return [
            summarize_metric(
                "embedding_target_preferred",
                "target preferred by speaker embedding (%) ↑",
                "%",
                chance=[0.5],
                **self._preferred,
            ),
            summarize_metric(
                "embedding_target_cosine",
                "speaker embedding, cosine to target ↑",
                "cosine",
                chance=self._chance_cosines,
                **self._to_target,
            ),
            summarize_metric(
                "embedding_source_cosine",
                "speaker embedding, cosine to source ↓",
                "cosine",
                chance=self._chance_cosines,
                **self._to_source,
            ),
        ]
