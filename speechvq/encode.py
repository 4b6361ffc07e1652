"""`python -m speechvq.encode`: sounds to codes, an .npy an utterance and a `meta.json`."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speechvq.audio.atomic import replacing, write_bytes
from speechvq.command import run
from speechvq.errors import UserError
from speechvq.progress import progress
from speechvq.sources import Source, find_sources, read_sources
from speechvq.speech.model import SpeechVQ
from speechvq.speech.model_directory import load_model

META = "meta.json"


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.encode", description=__doc__)
    parser.add_argument("--src", type=Path, required=True, help="a sound file, a folder of them, or a manifest")
    parser.add_argument("--out", type=Path, required=True, help="codes directory; what is there already is kept")
    parser.add_argument("--model", type=Path, required=True, help="model or run directory, for example exp/vctk64")
    parser.add_argument("--split", default="", help="of a manifest, only this split")
    parser.add_argument("--limit", type=int, default=0, help="at most so many sounds, spread over all")
    parser.add_argument("--shard", default="", metavar="i/n", help="part i (from 0) of n; default from RANK, WORLD_SIZE")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    index, count = _shard(arguments.shard)
    model = load_model(arguments.model)
    _claim(arguments.out, model)
    every = find_sources(arguments.src, split=arguments.split, limit=arguments.limit)
    mine = every[index::count]
    left = [source for source in mine if not _codes_path(arguments.out, source).exists()]
    for source, wave in progress(read_sources(left) if left else (), total=len(left), label="encode", unit="sounds"):
        with replacing(_codes_path(arguments.out, source)) as temporary:
            np.save(temporary, model.encode_wave(wave), allow_pickle=False)
    print(f"{arguments.out}: {len(left)} sounds encoded, {len(mine) - len(left)} were there")


def _codes_path(out: Path, source: Source) -> Path:
    return out / f"{source.name}.npy"


def _shard(text: str) -> tuple[int, int]:
    """Index and number of shards."""
    text = text or f"{os.environ.get('RANK', 0)}/{os.environ.get('WORLD_SIZE', 1)}"
    try:
        index, count = map(int, text.split("/"))
        if 0 <= index < count:
            return index, count
    except ValueError:
        pass
    raise UserError(f"--shard {text}: expected i/n with 0 <= i < n, for example 0/4")


def _claim(out: Path, model: SpeechVQ) -> None:
    """Write meta.json, or check that the codes there are of the same model."""
    meta = {
        "frame_rate_hz": model.config.frame_rate,
        "num_codes": model.config.quantizer.num_codes,
        "codebook": model.fingerprint(),
    }
    path = out / META
    if path.exists() and json.loads(path.read_text()) != meta:
        raise UserError(f"{path}: these codes were made by another model; choose another --out")
    write_bytes(path, json.dumps(meta, indent=1).encode())


if __name__ == "__main__":
    raise SystemExit(main())
