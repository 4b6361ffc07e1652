"""`python -m speechvq.encode`: encode audio as codes, one .npy file per recording and a `meta.json`."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import speechvq
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.sources import Source, find_sources, read_tracked_sources
from speechvq.cli.tally import tallied
from speechvq.data.codes_directory import CODEBOOK, FRAME_RATE, META, NUM_CODES, write_codes
from speechvq.errors import UserError
from speechvq.io.atomic import write_json
from speechvq.io.folder_lock import folder_lock
from speechvq.io.journal import Journal
from speechvq.io.names import check_length
from speechvq.io.reading import read_regular
from speechvq.runtime.progress import progress


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("encode", __doc__)
    flags.add_src(parser)
    parser.add_argument("--out", type=Path, required=True, help="codes directory; unchanged codes are kept")
    flags.add_model(parser)
    flags.add_split(parser)
    flags.add_limit(parser)
    parser.add_argument(
        "--shard",
        default="",
        metavar="i/n",
        help="part i (from 0) of n (default: RANK and WORLD_SIZE of the environment, else 0/1)",
    )
    flags.add_device(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, 2 for a user's mistake, 130 after Ctrl-C (the same command continues)."""
    return run(build_parser(), _work, argv, resumes=True)


def _work(arguments: argparse.Namespace) -> None:
    index, count = _shard(arguments.shard)
    sources = find_sources(arguments.src, split=arguments.split, limit=arguments.limit)
    for source in sources:
        check_length(_codes_path(arguments.out, source))
    shard = sources[index::count]
    model = speechvq.load(arguments.model, arguments.device)
    meta = _meta(model)
    _check_model(arguments.out / META, meta)
    journal = Journal(arguments.out, {"model": model.digest()})
    finished = journal.read()
    missing = [source for source in shard if not finished.find(source.name, [source.path])]
    # Shards may run at the same time.
    with (
        folder_lock(arguments.out, f"encode-{index}-of-{count}"),
        tallied(skipped=len(shard) - len(missing)) as tally,
    ):
        waves = read_tracked_sources(missing, tally.failures)
        for source, wave, inputs in progress(waves, total=len(missing), label="encode", unit="recordings"):
            if not tally.done:
                write_json(arguments.out / META, meta)
            path = _codes_path(arguments.out, source)
            write_codes(path, model.encode(wave))
            journal.add(source.name, inputs, [path])
            tally.done += 1


def _codes_path(out: Path, source: Source) -> Path:
    return out / f"{source.name}.npy"


def _shard(text: str) -> tuple[int, int]:
    """Index of this shard, and the number of shards."""
    text = text or f"{os.environ.get('RANK', 0)}/{os.environ.get('WORLD_SIZE', 1)}"
    try:
        index, count = map(int, text.split("/"))
        if 0 <= index < count:
            return index, count
    except ValueError:
        pass
    raise UserError(f"--shard {text}: expected i/n with 0 <= i < n, for example 0/4")


def _meta(model: "speechvq.SpeechVQ") -> dict[str, Any]:
    """Content of `meta.json`: frame rate, number of codes, and fingerprint of the codebook."""
    return {
        FRAME_RATE: model.config.frame_rate,
        NUM_CODES: model.config.quantizer.num_codes,
        CODEBOOK: model.fingerprint(),
    }


def _check_model(path: Path, meta: dict[str, Any]) -> None:
    """Refuse a folder with codes of another model, or with a damaged meta.json."""
    try:
        found = json.loads(read_regular(path)) if path.exists() else meta
    except (OSError, ValueError, RecursionError):
        raise UserError(f"{path}: damaged; remove it if the codes beside it are of this model") from None
    if found != meta:
        raise UserError(f"{path}: these codes are of another model; choose another --out")


if __name__ == "__main__":
    raise SystemExit(main())
