"""The utterances of a codes directory that have phone alignments, and checks that both belong together."""

from collections.abc import Iterator, Mapping

from speechvq.alignment.directory import AlignmentDirectory
from speechvq.data.codes_directory import CodesDirectory
from speechvq.data.manifest import Utterance, utterance_names
from speechvq.errors import UserError
from speechvq.evaluate.alignment_lengths import AlignmentLengths
from speechvq.io.utterance_files import match_names
from speechvq.metrics.units.purity import LabeledCodes, PurityScore
from speechvq.results.units import PurityCorpus, PurityMetrics, PurityResult
from speechvq.runtime.logging import logger
from speechvq.runtime.progress import progress

_MANY_DROPPED = 0.2  # fraction of codes outside of phones that leads to a warning


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

    def read(self) -> Iterator[LabeledCodes]:
        """Iterate over all utterances, one at a time."""
        rate = self.codes.frame_rate_hz
        self.lengths = AlignmentLengths()
        for name in progress(self.names, total=len(self.names), label="score", unit="utterances"):
            units = self.labeled(name)
            start = self.manifest[name].start if name in self.manifest and not self.alignments.parts else 0.0
            self.lengths.add(units.intervals, len(units.codes) / rate, start=start)
            yield units

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
