"""`python -m speechvq.evaluate purity`: are the codes phonemes? Of any units with any phone alignments."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from speechvq.alignment.directory import open_alignments
from speechvq.audio.waveform import read_waveform
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.tables import MetricRow, decimal, interval, metric_table, percent
from speechvq.data.codes_directory import open_codes
from speechvq.data.manifest import read_manifest
from speechvq.errors import UserError
from speechvq.evaluate.aligned_codes import AlignedCodes
from speechvq.io.atomic import write_bytes
from speechvq.metrics.units import contingency
from speechvq.metrics.units.purity import PurityScore, score_purity

PURITY_NOTES = (
    "phone purity: frames that are right when each code stands for its likeliest phone (the paper's mapping",
    "  accuracy: 49.3 %, one guess 7.2 %); other speakers' map: learnt on half of them, tried on the others",
    "cluster purity: the same with codes and phones exchanged; PNMI: what a code tells of its phone, of 1",
    "shuffled: the same codes in random order over the frames; one guess: the most frequent phone everywhere",
    "intervals: 95 %, by resampling the utterances",
)
_NAMES = {"all": "All frames", "edges_trimmed": "Silence at the edges trimmed"}


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate purity", description=__doc__)
    flags.add_codes(parser)
    flags.add_alignments(parser)
    flags.add_manifest(parser, "the held-out speakers and the audio of --plot")
    flags.add_tier(parser)
    flags.add_json(parser)
    parser.add_argument("--plot", type=Path, help="PNG of phones against codes and of one utterance")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    codes = open_codes(arguments.codes)
    alignments = open_alignments(arguments.alignments, tier=arguments.tier)
    manifest = {u.utt: u for u in read_manifest(arguments.manifest)} if arguments.manifest else {}
    corpus = AlignedCodes(codes, alignments, manifest)
    scores = score_purity(corpus.read(), codes.num_codes, codes.frame_rate_hz)
    if not scores["all"].metrics["frames"]:
        raise UserError(f"{codes.path}: no code lies within a phone; does frame_rate_hz fit the alignments?")
    print(corpus.describe(), purity_table(scores), sep="\n\n")
    corpus.warn(scores["all"])
    if arguments.json:
        write_bytes(arguments.json, json.dumps(corpus.content(scores), indent=1, allow_nan=False).encode())
    if arguments.plot:
        _plot(arguments.plot, corpus, scores["all"])


def _plot(path: Path, corpus: AlignedCodes, score: PurityScore) -> None:
    """The matrix of all utterances, and the one in the middle."""
    from speechvq.plots.units import plot_units

    name = corpus.names[len(corpus.names) // 2]
    wave = read_waveform(corpus.manifest[name].path) if name in corpus.manifest else None
    plot_units(
        path,
        score,
        corpus.labelled(name),
        wave,
        title=name,
        frame_rate=corpus.codes.frame_rate_hz,
    )


def purity_table(scores: Mapping[str, PurityScore]) -> str:
    """Both protocols, and what the words mean."""
    parts = [_protocol(_NAMES[protocol], score) for protocol, score in scores.items()]
    return "\n\n".join([*parts, "\n".join(PURITY_NOTES)])


def _protocol(name: str, score: PurityScore) -> str:
    figures = score.metrics
    every = (figures["frames"] or 0) + (figures["dropped_frames"] or 0)
    title = f"{name}: {figures['frames']} of {every} codes, {figures['num_phones']} phones"
    if not figures["frames"]:
        return f"{title}; nothing to score"
    guess, mixed = _percent(figures["majority_prior"]), contingency.shuffled(score.table)
    by_chance = (_percent(figures["shuffled_phone_purity"]), guess)
    lowest = _percent(float(contingency.cluster_purity(mixed)))
    commonest = _percent(float(contingency.majority_prior(score.table.T)))
    active = f"{figures['active_codes']} codes occur"

    def row(label: str, key: str, baselines: tuple[str, str], share: bool = True) -> MetricRow:
        value = _percent(figures[key]) if share else decimal(figures[key])
        return MetricRow(label, value, interval(score.intervals[key], as_percent=share), baselines)

    rows = [
        row("phone purity", "phone_purity", by_chance),
        row("phone purity, other speakers' map", "phone_purity_heldout", ("", guess)),
        row("cluster purity", "cluster_purity", (lowest, commonest)),
        row("PNMI", "pnmi", (decimal(figures["shuffled_pnmi"]), decimal(0.0)), share=False),
        row(f"perplexity ({active})", "perplexity", ("", ""), share=False),
        row(f"bit/s (at most {decimal(figures['bitrate_max'])})", "bitrate_entropy", ("", ""), share=False),
    ]
    return metric_table(title, ("shuffled", "one guess"), rows)


def _percent(fraction: float | None) -> str:
    return percent(fraction, 1)
