"""`python -m speechvq.report`: a page that shows how a run learnt, what its codes are and how it sounds or looks."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechvq.cli.command import run
from speechvq.errors import UserError

if TYPE_CHECKING:
    from speechvq.data.conversions import ConversionPair
    from speechvq.data.manifest import Utterance
    from speechvq.report.page import Page
    from speechvq.report.units import ProtocolTables


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.report", description=__doc__)
    parser.add_argument(
        "--run", type=Path, required=True, help="what train --out made, for example exp/vctk64"
    )
    parser.add_argument("--manifest", type=Path, help="of the sources (default: what the run was trained on)")
    parser.add_argument("--converted", type=Path, help="DIR/TARGET/UTT.wav, as convert makes it")
    parser.add_argument(
        "--resynthesis", type=Path, help="the sources in their own voices: DIR/UTT.wav or DIR/SPEAKER/UTT.wav"
    )
    parser.add_argument("--scores", type=Path, help="what `evaluate conversion --json` wrote")
    parser.add_argument("--codes", type=Path, help="codes directory: the matrix of phones by codes")
    parser.add_argument("--alignments", type=Path, help="phones, for the pictures of sentences and codes")
    parser.add_argument("--purity", type=Path, help="what `evaluate purity --json` wrote")
    parser.add_argument("--baselines", type=Path, help="what `evaluate baselines --json` wrote")
    parser.add_argument("--unseen-purity", type=Path, help="--purity of speakers kept out of training")
    parser.add_argument("--unseen-baselines", type=Path, help="--baselines of speakers kept out of training")
    parser.add_argument("--abx", type=Path, help="what `evaluate abx --json` wrote")
    parser.add_argument("--generated", type=Path, help="what generate --out made: speech from nothing")
    parser.add_argument(
        "--pictures", type=Path, help="what draw --out made (default: the run, if it has some)"
    )
    parser.add_argument("--likelihood", type=Path, help="what `evaluate likelihood --json` wrote")
    parser.add_argument(
        "--imagined", type=Path, action="append", default=[], help="what imagine --out made; repeat"
    )
    parser.add_argument("--rollout", type=Path, help="what `evaluate rollout --json` wrote")
    parser.add_argument(
        "--out", type=Path, help="the page (default RUN/report.html); its pictures go beside it"
    )
    parser.add_argument("--examples", type=int, default=6, help="sentences to listen to (default 6)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out or arguments.run / "report.html"
    if out.suffix not in (".html", ".htm"):
        raise UserError(f"--out {out}: name the page something.html")
    if arguments.examples < 1:
        raise UserError(f"--examples {arguments.examples}: show one sentence at least")
    for needing, needed in (("codes", "alignments"), ("resynthesis", "converted")):
        if getattr(arguments, needing) and not getattr(arguments, needed):
            raise UserError(f"--{needing} is shown with --{needed} only; give both")
    from speechvq.report.page import write_page

    write_page(out, _page(arguments, out.parent))
    print(out)


def _page(arguments: argparse.Namespace, folder: Path) -> "Page":
    """Everything that was asked for; pictures are drawn into the folder."""
    from speechvq.plots.training_curve import plot_training_curve
    from speechvq.report import audio_examples, likelihood, results, speaker_pairs, training_run, units
    from speechvq.report.imagined import imagined_videos
    from speechvq.report.page import Page
    from speechvq.report.run_kind import run_kind_of

    config, metrics = training_run.read_run(arguments.run)
    subject = run_kind_of(config)
    bits = results.read_likelihood(arguments.likelihood) if arguments.likelihood else None
    pictures = likelihood.find_image_grids(
        arguments.pictures or arguments.run, required=bool(arguments.pictures)
    )
    scores = results.read_conversions(arguments.scores) if arguments.scores else None
    facts, protocols = _protocols(arguments)
    manifest = _manifest(arguments, config)
    examples = audio_examples.audio_examples(
        _jobs(arguments, manifest), arguments.examples, arguments.resynthesis
    )
    plot_training_curve(folder / "curve.png", metrics, subject.panels)
    return Page(
        name=arguments.run.resolve().name,
        about=subject.about,
        facts=training_run.training_facts(metrics, subject.facts) | facts,
        training_curve=folder / "curve.png",
        curve_caption=subject.curve_caption,
        images=pictures,
        likelihood=likelihood.likelihood_table(bits) if bits else None,
        imagined=imagined_videos(arguments.imagined),
        rollout=results.read_rollout(arguments.rollout) if arguments.rollout else None,
        conversion=_draw_sentence(arguments, examples, folder / "conversion.png"),
        examples=examples,
        speaker_pairs=speaker_pairs.speaker_pair_table(scores.heard) if scores and scores.heard else None,
        conversion_metrics=scores.summary if scores else [],
        units=_draw_units(arguments, examples, manifest, folder / "units.png"),
        protocols=protocols,
        abx=units.abx_table(results.read_abx(arguments.abx)) if arguments.abx else None,
        generated=audio_examples.generated_audio(arguments.generated)
        if arguments.generated
        else audio_examples.NO_AUDIO,
        config=(arguments.run / training_run.CONFIG).read_text(encoding="utf-8"),
    )


def _protocols(arguments: argparse.Namespace) -> "tuple[dict[str, str], list[ProtocolTables]]":
    """What the codes say of phones, in a word for the head of the page and in full."""
    from speechvq.report import results, units

    facts, protocols = {}, []
    for group in ("", "unseen_"):
        purity, baselines = (getattr(arguments, group + name) for name in ("purity", "baselines"))
        ours = results.read_purity(purity) if purity else {}
        others = results.read_baselines(baselines) if baselines else None
        facts |= units.purity_fact(ours, unseen=bool(group))
        protocols += units.protocol_tables(ours, others, unseen=bool(group))
    return facts, protocols


def _manifest(arguments: argparse.Namespace, config: dict[str, Any]) -> "list[Utterance]":
    """The utterances of the manifest, read only when something needs them."""
    from speechvq.data.manifest import read_manifest

    data = config.get("data")
    place = arguments.manifest or (data.get("manifest") if isinstance(data, dict) else None)
    if arguments.manifest or (place and arguments.converted):
        return read_manifest(place)
    if arguments.converted:
        raise UserError("--manifest is needed: the run's configuration names none")
    return []


def _jobs(arguments: argparse.Namespace, utterances: "list[Utterance]") -> "list[ConversionPair]":
    """The conversions to show, sentence by sentence."""
    from speechvq.data.conversions import find_conversion_pairs

    if not arguments.converted:
        return []
    return sorted(
        find_conversion_pairs(arguments.converted, utterances), key=lambda job: (job.source.utt, job.target)
    )


def _draw_sentence(arguments: argparse.Namespace, examples: Sequence[Any], path: Path) -> Path | None:
    if not examples:
        return None
    from speechvq.alignment.directory import open_alignments
    from speechvq.report.figures import plot_example

    alignments = open_alignments(arguments.alignments) if arguments.alignments else None
    plot_example(path, arguments.run, examples[0], alignments)
    return path


def _draw_units(
    arguments: argparse.Namespace, examples: Sequence[Any], utterances: "list[Utterance]", path: Path
) -> Path | None:
    if not arguments.codes:
        return None
    from speechvq.alignment.directory import open_alignments
    from speechvq.data.codes_directory import open_codes
    from speechvq.evaluate.aligned_codes import AlignedCodes
    from speechvq.report.figures import plot_unit_figure

    manifest = {each.utt: each for each in utterances}
    corpus = AlignedCodes(open_codes(arguments.codes), open_alignments(arguments.alignments), manifest)
    plot_unit_figure(path, corpus, examples, manifest)
    return path
