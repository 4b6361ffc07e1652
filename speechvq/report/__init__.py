"""`python -m speechvq.report`: a page with the training curves, codes, audio or images of a run."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes
from speechvq.runtime.logging import logger

if TYPE_CHECKING:
    from speechvq.alignment.directory import AlignmentDirectory
    from speechvq.data.conversions import ConversionPair
    from speechvq.data.manifest import Utterance
    from speechvq.report.audio_examples import AudioExample
    from speechvq.report.page import Page
    from speechvq.report.run_parts import MissingPart
    from speechvq.report.units import ProtocolTables


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("report", __doc__)
    parser.add_argument("--run", type=Path, required=True, help="run directory of train, e.g. exp/vctk64")
    parser.add_argument("--manifest", type=Path, help="of the sources (default: that of the run's training)")
    parser.add_argument(
        "--converted",
        type=Path,
        help="conversions, DIR/TARGET/UTT.wav, as convert makes them (default: RUN/converted)",
    )
    parser.add_argument(
        "--resynthesis",
        type=Path,
        help="sources resynthesized: DIR/UTT.wav or DIR/SPEAKER/UTT.wav (default: RUN/resynthesis)",
    )
    parser.add_argument(
        "--scores", type=Path, help="JSON of `evaluate conversion` (default: RUN/conversion.json)"
    )
    parser.add_argument(
        "--codes", type=Path, help="codes directory, for the matrix of phones by codes (default: RUN/codes)"
    )
    parser.add_argument(
        "--alignments",
        type=Path,
        help="phone alignments, for the figures (default: lab or aligned in the manifest's folder)",
    )
    parser.add_argument("--stages", type=Path, help="JSON of `evaluate stages` (default: RUN/stages.json)")
    flags.add_keep_labels(parser)
    parser.add_argument("--purity", type=Path, help="JSON of `evaluate purity` (default: RUN/purity.json)")
    parser.add_argument(
        "--baselines", type=Path, help="JSON of `evaluate baselines` (default: RUN/baselines.json)"
    )
    parser.add_argument(
        "--unseen-purity",
        type=Path,
        help="JSON of `evaluate purity` for unseen speakers (default: RUN/purity_unseen.json)",
    )
    parser.add_argument(
        "--unseen-baselines",
        type=Path,
        help="JSON of `evaluate baselines` for unseen speakers (default: RUN/baselines_unseen.json)",
    )
    parser.add_argument("--abx", type=Path, help="JSON of `evaluate abx` (default: RUN/abx.json)")
    parser.add_argument(
        "--generated", type=Path, help="generated speech, --out of generate (default: RUN/generated)"
    )
    parser.add_argument(
        "--pictures", type=Path, help="image grids, --out of draw (default: the run directory)"
    )
    parser.add_argument(
        "--likelihood",
        type=Path,
        help="JSON of `evaluate likelihood` (default: RUN/likelihood.json or RUN.json)",
    )
    parser.add_argument(
        "--imagined",
        type=Path,
        action="append",
        default=[],
        help="a sampled video, --out of imagine; may be repeated",
    )
    parser.add_argument("--rollout", type=Path, help="JSON of `evaluate rollout` (default: RUN/rollout.json)")
    parser.add_argument(
        "--out", type=Path, help="page to write (default: RUN/report.html); figures are written beside it"
    )
    parser.add_argument("--examples", type=int, default=6, help="sentences with audio")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out or arguments.run / "report.html"
    if out.suffix not in (".html", ".htm"):
        raise UserError(f"--out {out}: the page's name must end in .html")
    if arguments.examples < 1:
        raise UserError(f"--examples {arguments.examples}: give 1 or more")
    from speechvq.report import training_run
    from speechvq.report.page import render_page
    from speechvq.report.run_parts import collect_parts

    config, metrics = training_run.read_run(arguments.run)
    missing = collect_parts(arguments, config)
    for flag, needed in (("codes", "alignments"), ("resynthesis", "converted")):
        if getattr(arguments, flag) and not getattr(arguments, needed):
            raise UserError(f"--{flag} needs --{needed}; give both")
    # Drawn elsewhere first, so that nothing is written if an input turns out to be damaged.
    with TemporaryDirectory() as drawn:
        html = render_page(_page(arguments, config, metrics, missing, Path(drawn)))
        for figure in sorted(Path(drawn).iterdir()):
            write_bytes(out.parent / figure.name, figure.read_bytes())
    write_bytes(out, html.encode())
    for part in missing:
        logger.info("not on the page: %s; it comes from: %s", part.title, part.command)
    print(out)


def _page(
    arguments: argparse.Namespace,
    config: dict[str, Any],
    metrics: list[dict[str, float]],
    missing: "Sequence[MissingPart]",
    folder: Path,
) -> "Page":
    """The content of the page; figures are written into the folder."""
    from speechvq.plots.training_curve import plot_training_curve
    from speechvq.report import audio_examples, likelihood, speaker_pairs, training_run, units
    from speechvq.report.imagined import imagined_videos
    from speechvq.report.page import Page
    from speechvq.report.provenance import provenance
    from speechvq.report.run_kind import run_kind_of
    from speechvq.results.abx import AbxResult
    from speechvq.results.conversion import ConversionResult
    from speechvq.results.likelihood import LikelihoodResult
    from speechvq.results.rollout import RolloutResult
    from speechvq.results.stages import StagesResult

    kind = run_kind_of(config)
    bound = LikelihoodResult.load(arguments.likelihood) if arguments.likelihood else None
    grids = likelihood.find_image_grids(
        arguments.pictures or arguments.run, required=bool(arguments.pictures)
    )
    scores = ConversionResult.load(arguments.scores) if arguments.scores else None
    facts, protocols = _protocols(arguments)
    manifest = _manifest(arguments, config)
    pairs = _conversion_pairs(arguments, manifest)
    examples = audio_examples.audio_examples(pairs, arguments.examples, arguments.resynthesis)
    generated = arguments.generated
    plot_training_curve(folder / "curve.png", metrics, kind.panels)
    return Page(
        name=arguments.run.resolve().name,
        about=kind.about,
        facts=training_run.training_facts(metrics, kind.facts) | facts,
        training_curve=folder / "curve.png",
        curve_caption=kind.curve_caption,
        images=grids,
        likelihood=likelihood.likelihood_table(bound) if bound else None,
        imagined=imagined_videos(arguments.imagined),
        rollout=RolloutResult.load(arguments.rollout) if arguments.rollout else None,
        conversion=_plot_example(arguments, examples, folder / "conversion.png"),
        examples=examples,
        speaker_pairs=speaker_pairs.speaker_pair_table(scores.conversions)
        if scores and scores.conversions
        else None,
        conversion_metrics=list(scores.summary.values()) if scores else [],
        stages=StagesResult.load(arguments.stages) if arguments.stages else None,
        units=_plot_units(arguments, examples, manifest, folder / "units.png"),
        protocols=protocols,
        abx=units.abx_table(AbxResult.load(arguments.abx)) if arguments.abx else None,
        generated=audio_examples.generated_audio(generated) if generated else audio_examples.NO_AUDIO,
        config=(arguments.run / training_run.CONFIG).read_text(encoding="utf-8"),
        missing=missing,
        provenance=provenance(),
    )


def _protocols(arguments: argparse.Namespace) -> "tuple[dict[str, str], list[ProtocolTables]]":
    """Phone purity for the head of the page, and all tables, for seen and for unseen speakers."""
    from speechvq.report import units
    from speechvq.results.units import BaselinesResult, PurityResult

    facts: dict[str, str] = {}
    protocols: list[ProtocolTables] = []
    for group in ("", "unseen_"):
        purity, baselines = (getattr(arguments, group + name) for name in ("purity", "baselines"))
        ours = PurityResult.load(purity) if purity else None
        others = BaselinesResult.load(baselines) if baselines else None
        facts |= units.purity_fact(ours, unseen=bool(group))
        protocols += units.protocol_tables(ours, others, unseen=bool(group))
    return facts, protocols


def _manifest(arguments: argparse.Namespace, config: dict[str, Any]) -> "list[Utterance]":
    """The utterances of the manifest; empty if nothing on the page needs them."""
    from speechvq.data.manifest import read_manifest

    data = config.get("data")
    place = arguments.manifest or (data.get("manifest") if isinstance(data, dict) else None)
    if place and (arguments.manifest or arguments.converted):
        return read_manifest(place)
    if arguments.converted:
        raise UserError("--manifest is needed: the run's configuration names none")
    return []


def _conversion_pairs(arguments: argparse.Namespace, utterances: "list[Utterance]") -> "list[ConversionPair]":
    """All conversions, sentence by sentence."""
    from speechvq.data.conversions import find_conversion_pairs

    if not arguments.converted:
        return []
    pairs = find_conversion_pairs(arguments.converted, utterances)
    return sorted(pairs, key=lambda pair: (pair.source.utt, pair.target))


def _plot_example(
    arguments: argparse.Namespace, examples: "Sequence[AudioExample]", path: Path
) -> Path | None:
    """Plot the first example into `path`; None if there is none."""
    if not examples:
        return None
    from speechvq.report.figures import plot_example

    alignments = _alignments(arguments) if arguments.alignments else None
    plot_example(path, arguments.run, examples[0], alignments)
    return path


def _alignments(arguments: argparse.Namespace) -> "AlignmentDirectory":
    from speechvq.alignment.directory import open_alignments

    return open_alignments(arguments.alignments, keep_labels=arguments.keep_labels)


def _plot_units(
    arguments: argparse.Namespace,
    examples: "Sequence[AudioExample]",
    utterances: "list[Utterance]",
    path: Path,
) -> Path | None:
    """Plot phones by codes into `path`; None without --codes."""
    if not arguments.codes:
        return None
    from speechvq.data.codes_directory import open_codes
    from speechvq.evaluate.aligned_codes import AlignedCodes
    from speechvq.report.figures import plot_unit_figure

    manifest = {each.utt: each for each in utterances}
    corpus = AlignedCodes(open_codes(arguments.codes), _alignments(arguments), manifest)
    plot_unit_figure(path, corpus, examples)
    return path
