"""Results about discrete units: purity, codebook usage, speaker information, and purity of baselines."""

from dataclasses import dataclass
from typing import ClassVar

from speechvq.results.codec import Flat
from speechvq.results.result import Record, Result

Interval = tuple[float, float]  # low and high of the 95 % confidence interval

PROTOCOLS = {"all": "All frames", "edges_trimmed": "Without leading and trailing silence"}


@dataclass(frozen=True)
class PurityMetrics(Record):
    """Metrics of codes against phones by one protocol; None where a metric is undefined.

    `speechvq.metrics.units.purity.score_purity` defines them.
    """

    frames: int
    dropped_frames: int
    num_phones: int
    majority_prior: float | None
    phone_purity: float | None
    phone_purity_heldout: float | None
    cluster_purity: float | None
    pnmi: float | None
    shuffled_phone_purity: float | None
    shuffled_pnmi: float | None
    active_codes: int
    perplexity: float | None
    bitrate_entropy: float | None  # bit/s
    bitrate_max: float  # bit/s


@dataclass(frozen=True)
class PurityCorpus(Record):
    """What was scored, and what was left out."""

    codes: str  # folder
    alignments: str  # folder or file
    frame_rate_hz: float
    num_codes: int
    utterances: int
    without_alignment: list[str]
    without_codes: int
    without_speaker: list[str]
    phones_after_the_last_code: int  # utterances
    phones: list[str]
    labels_merged: int = 0  # labels that count as another: of stress, position in the word, or silence


@dataclass(frozen=True)
class PurityResult(Result):
    """Result of `evaluate purity`."""

    subject: ClassVar[str] = "purity"

    all: PurityMetrics
    edges_trimmed: PurityMetrics
    intervals: dict[str, dict[str, Interval | None]]  # by protocol and metric
    corpus: PurityCorpus

    def by_protocol(self) -> dict[str, PurityMetrics]:
        """The metrics by the keys of PROTOCOLS."""
        return {"all": self.all, "edges_trimmed": self.edges_trimmed}


@dataclass(frozen=True)
class BaselinesResult(Result):
    """Result of `evaluate baselines`."""

    subject: ClassVar[str] = "baselines"

    split: str
    num_codes: int
    frame_rate_hz: float
    utterances: int
    without_alignment: list[str]
    protocols: dict[str, dict[str, list[PurityMetrics]]]  # by protocol and units, one per seed
    labels_merged: int = 0  # as of PurityCorpus

    def __post_init__(self) -> None:
        if not all(seeds for rows in self.protocols.values() for seeds in rows.values()):
            raise ValueError("protocols: units without a seed")


@dataclass(frozen=True)
class CodebookMetrics(Record):
    """How codes are used; `speechvq.metrics.units.codebook.score_codebook` defines the metrics."""

    utterances: int
    frames: int
    num_codes: int
    active_codes: int
    active_code_fraction: float
    most_frequent_code_fraction: float
    perplexity: float
    bitrate_entropy: float  # bit/s
    bitrate_max: float  # bit/s
    mean_code_duration_ms: float
    median_code_duration_ms: float
    longest_code_duration_ms: float
    shuffled_mean_code_duration_ms: float | None
    deduplicated_rate_hz: float
    shuffled_deduplicated_rate_hz: float
    deduplicated_bitrate: float  # bit/s


@dataclass(frozen=True)
class CodebookResult(Result):
    """Result of `evaluate codebook`."""

    subject: ClassVar[str] = "codebook"

    metrics: Flat[CodebookMetrics]
    intervals: dict[str, Interval | None]
    counts: list[int]  # frames of each code
    run_lengths: list[int]  # how many runs are of 0, 1, 2 ... frames


@dataclass(frozen=True)
class SpeakerMetrics(Record):
    """Speaker information in codes; `speechvq.metrics.units.speakers.score_speakers` defines the metrics."""

    utterances: int
    frames: int
    num_speakers: int
    speaker_pnmi: float
    shuffled_speaker_pnmi: float
    probe_accuracy: float | None
    probe_chance: float | None
    probe_utterances: int
    probe_speakers: int


@dataclass(frozen=True)
class SpeakersResult(Result):
    """Result of `evaluate speakers`."""

    subject: ClassVar[str] = "speakers"

    metrics: Flat[SpeakerMetrics]
    intervals: dict[str, Interval | None]
    not_in_manifest: list[str]
