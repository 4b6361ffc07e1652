"""`python -m speechvq.export`: write a speech model as ONNX graphs, which run without torch."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import speechvq
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.errors import UserError, printable
from speechvq.io.folder_lock import folder_lock
from speechvq.runtime.progress import counter

PARTS = ("encoder", "f0", "decoder")  # as in `speech.onnx_graphs.exporting`, which imports torch


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("export", __doc__)
    flags.add_model(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for PART.onnx and export.json",
    )
    parser.add_argument(
        "--parts",
        default=",".join(PARTS),
        help="graphs to write, separated by commas; the decoder needs a model with a vocoder",
    )
    flags.add_harmonic_boost(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    parts = list(dict.fromkeys(part.strip() for part in arguments.parts.split(",")))
    if unknown := [part for part in parts if part not in PARTS]:
        raise UserError(f"--parts {arguments.parts}: no part '{unknown[0]}'; there are {', '.join(PARTS)}")
    from speechvq.speech.onnx_graphs import exporting

    exporting.check_extra()
    model = speechvq.load(arguments.model)
    exporting.check_parts(model, parts, arguments.model)
    with folder_lock(arguments.out, "export"), counter(len(parts), label="export", unit="graphs") as count:
        for done, part in enumerate(parts):
            count(done)
            path = arguments.out / f"{part}.onnx"
            exporting.export_part(model, part, path, harmonic_boost=arguments.harmonic_boost)
            print(printable(path), flush=True)
        exporting.write_facts(arguments.out, model, parts, arguments.harmonic_boost)
