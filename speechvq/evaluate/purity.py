"""`python -m speechvq.evaluate purity`: do the codes correspond to phones? For any units and alignments."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from speechvq.alignment.directory import open_alignments
from speechvq.audio.waveform import read_waveform
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tables import MetricRow, decimal, in_percent, interval, metric_table
from speechvq.data.codes_directory import open_codes
from speechvq.data.manifest import read_manifest
from speechvq.errors import UserError
from speechvq.evaluate.aligned_codes import AlignedCodes
from speechvq.metrics.units import contingency
from speechvq.metrics.units.purity import PurityScore
from speechvq.results.units import PROTOCOLS, PurityMetrics
from speechvq.runtime.engine_choice import open_engine

NOTES = (
    "phone purity: accuracy when each code predicts its most frequent phone",
    "  held out: the map is fitted on half of the speakers and scored on the others, and the other way round",
    "cluster purity: accuracy when each phone predicts its most frequent code",
    "PNMI: mutual information of code and phone over the entropy of the phone",
    "shuffled: the same codes in random order; majority: the most frequent phone for every frame",
    "95 % CI: bootstrap over utterances",
)


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate purity", __doc__)
    flags.add_codes(parser)
    flags.add_alignments(parser)
    flags.add_keep_labels(parser)
    flags.add_shift_alignments(parser)
    flags.add_manifest(parser, "the held-out speakers and the audio of --plot")
    flags.add_tier(parser)
    flags.add_json(parser)
    parser.add_argument("--plot", type=Path, help="PNG of phones against codes and of one utterance")
    flags.add_engine(parser)
    flags.add_jobs(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if arguments.shift_alignments and not arguments.manifest:
        raise UserError("--shift-alignments needs --manifest, whose column start says by how much")
    codes = open_codes(arguments.codes)
    alignments = open_alignments(arguments.alignments, tier=arguments.tier, keep_labels=arguments.keep_labels)
    manifest = {u.utt: u for u in read_manifest(arguments.manifest)} if arguments.manifest else {}
    corpus = AlignedCodes(codes, alignments, manifest, shift=arguments.shift_alignments)
    with open_engine(arguments.engine, arguments.address, arguments.jobs) as engine:
        scores = corpus.score(engine)
    corpus.check_scored(scores["all"])
    print(corpus.describe(), purity_table(scores), sep="\n\n")
    corpus.warn(scores["all"])
    if arguments.json:
        corpus.result(scores).save(arguments.json)
    if arguments.plot:
        _plot(arguments.plot, corpus, scores["all"])


def _plot(path: Path, corpus: AlignedCodes, score: PurityScore) -> None:
    """Plot the matrix of phones by codes over all utterances, and the middle utterance by name."""
    from speechvq.plots.units import plot_units

    name = corpus.names[len(corpus.names) // 2]
    wave = read_waveform(corpus.manifest[name].path) if name in corpus.manifest else None
    plot_units(path, score, corpus.labeled(name), wave, title=name, frame_rate=corpus.codes.frame_rate_hz)


def purity_table(scores: Mapping[str, PurityScore]) -> str:
    """A table per protocol, and the definitions of the metrics."""
    tables = [_protocol_table(PROTOCOLS[protocol], score) for protocol, score in scores.items()]
    return "\n\n".join([*tables, "\n".join(NOTES)])


def _protocol_table(name: str, score: PurityScore) -> str:
    metrics = PurityMetrics.from_json(score.metrics)
    total = metrics.frames + metrics.dropped_frames
    title = f"{name}: {metrics.frames} of {total} codes, {metrics.num_phones} phones"
    if not metrics.frames:
        return f"{title}; nothing to score"
    majority, mixed = in_percent(metrics.majority_prior), contingency.shuffled(score.table)
    shuffled_clusters = in_percent(float(contingency.cluster_purity(mixed)))
    most_frequent_code = in_percent(float(contingency.majority_prior(score.table.T)))

    def row(label: str, key: str, baselines: tuple[str, str], *, as_percent: bool = False) -> MetricRow:
        value = getattr(metrics, key)
        text = in_percent(value) if as_percent else decimal(value)
        return MetricRow(label, text, interval(score.intervals[key], as_percent=as_percent), baselines)

    shuffled = in_percent(metrics.shuffled_phone_purity)
    clusters = (shuffled_clusters, most_frequent_code)
    rows = [
        row("phone purity (%) ↑", "phone_purity", (shuffled, majority), as_percent=True),
        row("phone purity, held out (%) ↑", "phone_purity_heldout", ("", majority), as_percent=True),
        row("cluster purity (%) ↑", "cluster_purity", clusters, as_percent=True),
        row("PNMI (0 to 1) ↑", "pnmi", (decimal(metrics.shuffled_pnmi), decimal(0.0))),
        row(f"perplexity ({metrics.active_codes} active codes)", "perplexity", ("", "")),
        row(f"bit rate (bit/s, at most {decimal(metrics.bitrate_max)})", "bitrate_entropy", ("", "")),
    ]
    return metric_table(title, ("shuffled", "majority"), rows)
