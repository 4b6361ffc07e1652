"""`python -m speechvq.encode`: encode audio as codes, in .npy files, Parquet or text, with a `meta.json`."""

import argparse
import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import speechvq
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.sources import SourceListing
from speechvq.cli.tally import tallied
from speechvq.data.codes_directory import (
    CODEBOOK,
    DEDUPLICATED,
    FEATURES,
    FORMAT,
    FRAME_RATE,
    META,
    NUM_CODES,
    STYLE,
)
from speechvq.data.corpora.lhotse import check_extra
from speechvq.data.corpora.recording import read_text
from speechvq.data.manifest import texts_beside
from speechvq.data.unit_formats.cuts import EncodedRecording, write_cuts
from speechvq.data.unit_formats.npy import NpyWriter
from speechvq.data.unit_formats.shards import ShardWriter
from speechvq.errors import UserError, printable
from speechvq.io.atomic import write_json
from speechvq.io.folder_lock import folder_lock
from speechvq.io.journal import Journal
from speechvq.io.names import check_case, check_length
from speechvq.io.reading import read_regular
from speechvq.runtime.engine_choice import LOCAL, RAY, open_engine
from speechvq.runtime.logging import logger
from speechvq.runtime.progress import progress

if TYPE_CHECKING:
    from speechvq.cli.encoding import EncodeWork, Recording, RecordingListing
    from speechvq.runtime.engine import Engine

_FILES = ("npy", "lhotse")  # formats with a file per utterance
_JOBS = {LOCAL: 1, RAY: None}  # one local process computes on all cores


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("encode", __doc__)
    flags.add_src(parser)
    parser.add_argument("--out", type=Path, required=True, help="codes directory; unchanged results are kept")
    flags.add_model(parser)
    flags.add_split(parser)
    flags.add_limit(parser)
    parser.add_argument(
        "--shard",
        default="",
        metavar="i/n",
        help="part i (from 0) of n (default: RANK and WORLD_SIZE of the environment, else 0/1)",
    )
    parser.add_argument(
        "--format",
        choices=("npy", "parquet", "text", "lhotse"),
        default="npy",
        help="UTT.npy for each utterance; or shards of 1,000 utterances, data/*.parquet (extra parquet) or "
        "data/*.txt; or UTT.npy and a CutSet that names them, cuts.jsonl.gz (extra lhotse)",
    )
    parser.add_argument(
        "--features",
        action="store_true",
        help="write the vectors before quantization, (N, D), in place of the codes; not for text",
    )
    parser.add_argument(
        "--deduplicate",
        action="store_true",
        help="write one code and its duration in frames for each run of equal codes; parquet or text",
    )
    parser.add_argument(
        "--text-style",
        choices=("fairseq", "speechgpt"),
        default="fairseq",
        help="lines UTT|71 12 5, or UTT|<sosp><71><12><5><eosp>; durations follow after another |",
    )
    flags.add_device(parser)
    flags.add_engine(parser)
    flags.add_jobs(parser, default="local: 1, which uses all cores; ray: one per core or GPU")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, 2 for a user's mistake, 130 after Ctrl-C (the same command continues)."""
    return run(build_parser(), _work, argv, resumes=True)


def _work(arguments: argparse.Namespace) -> None:
    _check(arguments)
    index, count = _shard(arguments.shard)
    sources = SourceListing(arguments.src, arguments.split, arguments.limit)
    if arguments.engine == LOCAL:  # mistakes are reported before the model is loaded
        for source in sources:
            if arguments.format in _FILES:
                check_length(arguments.out / f"{source.name}.npy")
    model = speechvq.load(arguments.model, arguments.device if arguments.engine == LOCAL else "cpu")
    from speechvq.cli.encoding import EncodeWork, RecordingListing  # imports PyTorch

    meta = _meta(model, arguments)
    _check_model(arguments.out / META, meta)
    journal = Journal(arguments.out, {"model": model.digest()})
    suffix = ".npy" if arguments.format in _FILES else ""
    recordings = RecordingListing(sources, index, count, journal, journal.size(), suffix)
    work = EncodeWork(model, journal, arguments.device, features=arguments.features)
    # Shards may run at the same time.
    with (
        folder_lock(arguments.out, f"encode-{index}-of-{count}"),
        open_engine(arguments.engine, arguments.address, arguments.jobs or _JOBS[arguments.engine]) as engine,
        _writer(arguments.out, journal, meta, part=_part(index, count, "part")) as writer,
    ):
        if arguments.format in _FILES and engine.is_local:
            check_case((arguments.out / f"{source.name}.npy" for source in sources), arguments.out)
        _encode(engine, work, recordings, writer, meta)
        if arguments.format == "lhotse":
            _write_cuts(recordings, arguments.src, meta, _part(index, count, "cuts"))


def _encode(
    engine: "Engine",
    work: "EncodeWork",
    recordings: "RecordingListing",
    writer: NpyWriter | ShardWriter,
    meta: dict[str, Any],
) -> None:
    """Write the units of all recordings that are not finished."""
    items: Iterable[Recording] = recordings
    total, skipped = None, 0
    if engine.is_local:  # a short list, so the time left can be estimated
        listed = list(recordings)
        items = missing = [each for each in listed if not each.is_finished(recordings.journal)]
        total, skipped = len(missing), len(listed) - len(missing)
    with tallied(skipped) as tally:
        results = engine.map(work, items)
        for result in progress(results, total=total, label="encode", unit="recordings"):
            source = result.source
            if result.problem:
                tally.failures.append(result.problem)
            elif result.units is None or result.inputs is None:
                tally.skipped += 1
            else:
                if result.change:
                    logger.info("%s: %s", source.path, result.change)
                if not tally.done:
                    write_json(writer.out / META, meta)
                writer.add(source.name, source.speaker, result.units, result.inputs)
                tally.done += 1


def _write_cuts(recordings: "RecordingListing", src: Path, meta: dict[str, Any], name: str) -> None:
    """Write a CutSet of all recordings that have been encoded, also by earlier calls."""
    journal, texts = recordings.journal, texts_beside(src)
    now = dataclasses.replace(recordings, size=journal.size())
    encoded = (
        EncodedRecording(
            source.name,
            source.path,
            journal.folder / f"{source.name}.npy",
            source.speaker,
            read_text(texts / source.speaker / f"{source.name}.txt") if texts else None,
        )
        for recording in now
        if recording.is_finished(journal) and (source := recording.source)
    )
    write_cuts(journal.folder / f"{name}.jsonl.gz", encoded, meta)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse flags that do not fit together."""
    if arguments.features and arguments.format == "text":
        raise UserError("--features: vectors are no text; give another --format")
    if arguments.features and arguments.deduplicate:
        raise UserError("--deduplicate: is for codes; leave out --features")
    if arguments.deduplicate and arguments.format in _FILES:
        raise UserError("--deduplicate: a .npy file has no durations; give --format parquet or text")
    if arguments.format == "lhotse":
        check_extra()


def _writer(out: Path, journal: Journal, meta: dict[str, Any], *, part: str) -> NpyWriter | ShardWriter:
    """The writer of a format."""
    if FORMAT not in meta:
        return NpyWriter(out, journal)
    return ShardWriter(out, journal, meta, part=part)


def _part(index: int, count: int, name: str) -> str:
    """Beginning of the names of shards and CutSets; processes at the same time have different ones."""
    return name if count == 1 else f"{name}-{index}-of-{count}"


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


def _meta(model: "speechvq.SpeechVQ", arguments: argparse.Namespace) -> dict[str, Any]:
    """Content of `meta.json`: frame rate, number of codes or width, fingerprint of the codebook, format."""
    meta: dict[str, Any] = {FRAME_RATE: model.config.frame_rate}
    if arguments.features:
        meta[FEATURES] = model.config.quantizer.dim
    else:
        meta[NUM_CODES] = model.config.quantizer.num_codes
    meta[CODEBOOK] = model.fingerprint()
    if arguments.format not in _FILES:
        meta[FORMAT] = arguments.format
    if arguments.deduplicate:
        meta[DEDUPLICATED] = True
    if arguments.format == "text":
        meta[STYLE] = arguments.text_style
    return meta


def _check_model(path: Path, meta: dict[str, Any]) -> None:
    """Refuse a folder with codes of another model or in another form, or with a damaged meta.json."""
    try:
        found = json.loads(read_regular(path)) if path.exists() else meta
    except (OSError, ValueError, RecursionError):
        raise UserError(f"{path}: damaged; remove it if the codes beside it are of this model") from None
    if found == meta:
        return
    if isinstance(found, dict) and found.get(CODEBOOK) == meta[CODEBOOK]:
        raise UserError(f"{path}: other flags wrote this folder ({_form(found)}); choose another --out")
    raise UserError(f"{path}: these codes are of another model; choose another --out")


def _form(meta: dict[str, Any]) -> str:
    """The form of what a folder holds, as the flags of `encode`."""
    words = [f"--format {meta.get(FORMAT, 'npy')}"]
    words += ["--features"] * (FEATURES in meta) + ["--deduplicate"] * bool(meta.get(DEDUPLICATED))
    words += [f"--text-style {meta.get(STYLE)}"] * (STYLE in meta)
    return printable(" ".join(words))


if __name__ == "__main__":
    raise SystemExit(main())
