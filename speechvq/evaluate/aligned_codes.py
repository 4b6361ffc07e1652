"""The utterances of a codes directory that have phone alignments, and checks that both belong together."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from speechvq.alignment.directory import AlignmentDirectory
from speechvq.alignment.intervals import Interval
from speechvq.alignment.labels import LabelMerger
from speechvq.data.codes_directory import CodesDirectory, CodesPlace
from speechvq.data.manifest import Utterance, utterance_names
from speechvq.data.repeated_codes import Neighbors, count_neighbors
from speechvq.errors import UserError
from speechvq.evaluate.alignment_lengths import AlignmentLengths
from speechvq.io.utterance_files import match_names
from speechvq.metrics.units.purity import LabeledCodes, PhoneCounts, PurityCounter, PurityScore, count_phones
from speechvq.metrics.units.utterance_tables import TABLE_RESAMPLES
from speechvq.results.units import PurityCorpus, PurityMetrics, PurityResult
from speechvq.runtime.engine import Engine, Work
from speechvq.runtime.logging import logger
from speechvq.runtime.progress import progress

_MANY_DROPPED = 0.2  # fraction of codes outside of phones that leads to a warning


class AlignedItem(NamedTuple):
    """Where the codes and the phones of an utterance are."""

    codes: CodesPlace
    alignment: AlignmentDirectory  # of this utterance alone; its labels are as in the file
    speaker: str  # "" if unknown
    start: float  # seconds that `prepare` cut at its beginning and that the phones do not take into account


class AlignedCounts(NamedTuple):
    """What the scores and the checks need to know of an utterance."""

    phones: PhoneCounts
    last: Interval
    seconds: float  # of the codes
    start: float
    neighbors: Neighbors
    labels: tuple[str, ...]  # before they were merged


class PurityWork(Work[AlignedItem, AlignedCounts]):
    """Counts the phones and codes of an utterance."""

    batch_size = 128

    def __init__(self, num_codes: int, frame_rate_hz: float, *, merge: bool) -> None:
        """
        Args:
            num_codes: K.
            frame_rate_hz: codes per second.
            merge: whether labels are merged, see `alignment.labels`.
        """
        self._num_codes, self._rate, self._merge = num_codes, frame_rate_hz, merge

    def start(self) -> Callable[[AlignedItem], AlignedCounts]:
        """Nothing to prepare."""
        return self._count

    def lost(self, item: AlignedItem, reason: str) -> AlignedCounts:
        """A score without some utterances is none."""
        raise UserError(f"{item.codes}: {reason}")

    def _count(self, item: AlignedItem) -> AlignedCounts:
        codes, merger = item.codes.read(self._num_codes), LabelMerger()
        [intervals] = item.alignment.read_all().values()
        if self._merge:
            intervals = merger.merge(intervals)
        labeled = LabeledCodes(codes, intervals, item.speaker)
        return AlignedCounts(
            count_phones(labeled, self._num_codes, self._rate),
            intervals[-1],
            len(codes) / self._rate,
            item.start,
            count_neighbors(codes),
            merger.seen,
        )


class AlignedCodes:
    """Utterances that have both codes and phones, and counts of those that lack either."""

    def __init__(
        self,
        codes: CodesDirectory,
        alignments: AlignmentDirectory,
        manifest: Mapping[str, Utterance],
        *,
        shift: bool = False,
    ) -> None:
        """
        Args:
            codes: of any model.
            alignments: of any utterances.
            manifest: utterances by name; may be empty.
            shift: whether the alignments are of the recordings before `prepare` trimmed them.

        Raises:
            UserError: no utterance has both, or one could be several.
        """
        listed = match_names(codes.names, utterance_names(manifest.values()))
        self.codes, self.alignments = codes, alignments.named_as(codes.names)
        self.manifest = {name: manifest[utt] for name, utt in listed.items()}
        self.names = sorted(self.alignments.places)
        self.missing = sorted(set(codes.files) - set(self.names))
        self.unused = len(alignments.places) - len(self.names)
        self.without_speaker = [name for name in self.names if manifest and name not in self.manifest]
        if shift:
            self.alignments = self.alignments.shifted({name: u.part for name, u in self.manifest.items()})
        self.lengths = AlignmentLengths()
        if not self.names:
            examples = f"for example {min(codes.files)!r} and {min(alignments.places)!r}"
            raise UserError(
                f"{codes.path} and {alignments.path}: no utterance is in both, {examples}; name them alike"
            )

    def score(self, engine: Engine, *, num_resamples: int = TABLE_RESAMPLES) -> dict[str, PurityScore]:
        """The scores of all utterances by protocol.

        Args:
            engine: its workers count the utterances.
            num_resamples: of the bootstrap.

        Raises:
            UserError: a file of an utterance is damaged.
        """
        codes, counter = self.codes, PurityCounter(self.codes.num_codes)
        self.lengths = AlignmentLengths()
        work = PurityWork(codes.num_codes, codes.frame_rate_hz, merge=self.alignments.merger is not None)
        results = engine.map(work, [self._item(name) for name in self.names])
        for found in progress(results, total=len(self.names), label="score", unit="utterances"):
            counter.add(found.phones)
            self.lengths.add([found.last], found.seconds, start=found.start)
            codes.add_neighbors(found.neighbors)
            if self.alignments.merger is not None:
                self.alignments.merger.add_seen(found.labels)
        return counter.score(codes.frame_rate_hz, num_resamples=num_resamples)

    def _item(self, name: str) -> AlignedItem:
        listed = self.manifest.get(name)
        start = listed.start if listed is not None and not self.alignments.parts else 0.0
        return AlignedItem(
            self.codes.place(name), self.alignments.only(name), listed.speaker if listed else "", start
        )

    def labeled(self, name: str) -> LabeledCodes:
        """The codes, phones and speaker of one utterance."""
        speaker = self.manifest[name].speaker if name in self.manifest else ""
        return LabeledCodes(self.codes.read(name), self.alignments.read(name), speaker)

    def describe(self) -> str:
        """Which utterances are scored and which are not, as text."""
        codes, count = self.codes, len(self.names)
        lines = [
            f"{codes.path}: {count} utterances with phones, {codes.num_codes} codes, "
            f"{codes.frame_rate_hz:g} per second"
        ]
        if self.missing:
            lines.append(f"left out: {len(self.missing)} without an alignment, for example {self.missing[0]}")
        if self.unused:
            lines.append(f"not used: {self.unused} alignments without codes")
        if self.without_speaker:
            lines.append(f"not in the manifest, so not in the held-out map: {len(self.without_speaker)}")
        if merged := self.alignments.describe_labels():
            lines.append(merged)
        return "\n".join(lines)

    def check_scored(self, score: PurityScore) -> None:
        """
        Raises:
            UserError: no frame was scored.
        """
        if not score.metrics["frames"]:
            raise UserError(
                f"{self.codes.path}: no code lies within a phone; check frame_rate_hz against the alignments"
            )

    def warn(self, score: PurityScore) -> None:
        """Log what suggests that codes and alignments do not belong together."""
        self.codes.warn_if_deduplicated()
        frames, dropped = score.metrics["frames"] or 0, score.metrics["dropped_frames"] or 0
        if dropped > _MANY_DROPPED * (frames + dropped):
            outside = f"{100 * dropped / (frames + dropped):.0f} % of the codes lie outside of phones"
            logger.warning("%s: %s; check frame_rate_hz", self.codes.path, outside)
        self.lengths.warn(self.codes.path)

    def result(self, scores: Mapping[str, PurityScore]) -> PurityResult:
        """The scores by protocol and what was scored, for JSON."""
        return PurityResult(
            all=PurityMetrics.from_json(scores["all"].metrics),
            edges_trimmed=PurityMetrics.from_json(scores["edges_trimmed"].metrics),
            intervals={protocol: score.intervals for protocol, score in scores.items()},
            corpus=PurityCorpus(
                codes=str(self.codes.path),
                alignments=str(self.alignments.path),
                frame_rate_hz=self.codes.frame_rate_hz,
                num_codes=self.codes.num_codes,
                utterances=len(self.names),
                without_alignment=self.missing,
                without_codes=self.unused,
                without_speaker=self.without_speaker,
                phones_after_the_last_code=self.lengths.num_late,
                phones=list(scores["all"].phones),
                labels_merged=self.alignments.num_merged,
            ),
        )
