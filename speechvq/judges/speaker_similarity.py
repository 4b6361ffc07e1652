"""Speaker similarity of conversions by a pretrained speaker embedding."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from speechvq.data.conversions import ConversionPair, EvaluationFold, read_reference_audio
from speechvq.data.manifest import Utterance
from speechvq.judges.metric import ConversionExample
from speechvq.judges.speaker_embedding import SpeakerEncoder
from speechvq.metrics.summary import MetricSummary, summarize_metric


class SpeakerSimilarity:
    """Cosine similarity to the target speaker, and how often the target is closer than the source.

    The embedding of a speaker is the normalized mean over the speaker's references. Chance: 50 % for the
    preference, and the mean similarity of two different speakers for the cosine.
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
        kinds = ("converted", "source_baseline", "target_reference")
        self._preferred: dict[str, list[float]] = {kind: [] for kind in kinds}
        self._cosines: dict[str, list[float]] = {kind: [] for kind in kinds}

    def update(self, example: ConversionExample) -> None:
        """Compare conversion, source and another recording of the target with both speakers."""
        speakers = self._speakers[example.pair]
        source_name, target_name = example.pair.source.speaker, example.pair.target
        source, target = speakers[source_name], speakers[target_name]
        waves = {
            "converted": example.converted,
            "source_baseline": example.source,
            "target_reference": example.target_reference,
        }
        for kind, wave in waves.items():
            if wave is None:
                continue
            embedding = self._encoder.embed(wave)
            preferred = float(embedding @ target > embedding @ source)
            self._cosines[kind].append(float(embedding @ target))
            self._preferred[kind].append(np.nan if source_name == target_name else preferred)

    def compute(self) -> list[MetricSummary]:
        """Preference for the target, and cosine similarity to the target."""
        preferred, cosines = self._preferred, self._cosines
        return [
            summarize_metric(
                "embedding_target_preferred",
                "target preferred by speaker embedding (%) ↑",
                "%",
                preferred["converted"],
                chance=[0.5],
                source_baseline=preferred["source_baseline"],
                target_reference=preferred["target_reference"],
            ),
            summarize_metric(
                "embedding_cosine",
                "speaker embedding, cosine to target ↑",
                "cosine",
                cosines["converted"],
                chance=self._chance_cosines,
                source_baseline=cosines["source_baseline"],
                target_reference=cosines["target_reference"],
            ),
        ]
