"""`python -m speechvq.evaluate prior`: bits a code on held-out speech, beside uniform codes and n-grams.

The n-grams are fitted on the codes that the prior was trained on, by modified Kneser-Ney smoothing.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.tables import align
from speechvq.config import SequencePriorRun, read_run
from speechvq.data.code_strings import CodeString, other_speakers, read_strings, speaker_numbers
from speechvq.data.codes_directory import CodesDirectory, open_codes
from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes
from speechvq.metrics.units.code_length import CodeLength, code_length
from speechvq.runtime.progress import progress

if TYPE_CHECKING:
    from speechvq.priors.sequence.prior import SequencePrior

ORDERS = {"uniform": 0, "unigram": 1, "bigram": 2, "trigram": 3, "4-gram": 4}
FIT_CODES = 10_000_000  # of the training split that n-grams count, spread over it; bounds memory
AT_ONCE = 16  # strings


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate prior", description=__doc__)
    parser.add_argument("--prior", type=Path, required=True, help="run of a prior over code strings")
    parser.add_argument("--codes", type=Path, help="codes directory (default: that of the prior's run)")
    parser.add_argument(
        "--manifest", type=Path, help="manifest.tsv or its folder (default: that of the prior's run)"
    )
    flags.add_scored_split(parser)
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    codes, manifest = _data(arguments)
    directory = open_codes(codes)
    if arguments.split == "train":
        raise UserError("--split train: the prior and the n-grams have learnt it; give dev or test")
    strings = read_strings(directory, manifest, ("train", arguments.split))
    from speechvq.priors.sequence.model_directory import load_prior

    prior = load_prior(arguments.prior)
    check_codes(prior, directory)
    heldout = [string for string in strings if string.split == arguments.split]
    lengths = _ngrams(_spread([s.codes for s in strings if s.split == "train"]), heldout, directory)
    lengths |= _prior(prior, heldout, directory.frame_rate_hz)
    print(report(lengths, heldout))
    if arguments.json:
        content = {
            "split": arguments.split,
            "utterances": len(heldout),
            "codes": sum(len(s.codes) for s in heldout),
        }
        content |= {"models": {name: length._asdict() for name, length in lengths.items()}}
        write_bytes(arguments.json, json.dumps(content, indent=1, allow_nan=False).encode())


def _data(arguments: argparse.Namespace) -> tuple[Path, Path | None]:
    """Codes directory and manifest: as given, or what the run was trained on."""
    codes, manifest, place = arguments.codes, arguments.manifest, arguments.prior / "config.yaml"
    if (arguments.prior / "model").is_dir() and place.is_file():
        config = read_run(place)
        if not isinstance(config, SequencePriorRun):
            raise UserError(
                f"{place}: no prior over code sequences; give what `train` made with model.kind: sequence"
            )
        codes = codes or Path(config.data.codes)
        manifest = manifest or (Path(config.data.manifest) if config.data.manifest else None)
    if codes is None:
        raise UserError("--codes is needed: a model directory does not tell what it was trained on")
    return codes, manifest


def check_codes(prior: "SequencePrior", directory: CodesDirectory) -> None:
    """Refuse codes that are not written as the prior's are.

    Raises:
        UserError: other K, rate or codebook.
    """
    own = prior.code_spec
    theirs = type(own)(directory.num_codes, directory.frame_rate_hz, directory.codebook)
    if own != theirs and (difference := own.difference(theirs)):
        raise UserError(
            f"{directory.path}: these codes are not the prior's: it has {difference}; encode again"
        )


def _spread(strings: Sequence[np.ndarray]) -> list[np.ndarray]:
    """All strings, or every so many of them."""
    every = -(-sum(map(len, strings)) // FIT_CODES)
    return list(strings[:: max(every, 1)])


def _ngrams(
    training: Sequence[np.ndarray], heldout: Sequence[CodeString], directory: CodesDirectory
) -> dict[str, CodeLength]:
    from speechvq.priors.sequence.ngram import Ngram

    lengths = {}
    for name, order in progress(ORDERS.items(), total=len(ORDERS), label="n-grams", unit="orders"):
        ngram = Ngram(training, directory.num_codes, order)
        lengths[name] = code_length(ngram.nll([s.codes for s in heldout]), directory.frame_rate_hz)
    return lengths


def _prior(prior: "SequencePrior", heldout: Sequence[CodeString], frame_rate: float) -> dict[str, CodeLength]:
    """The prior, and the prior told another speaker where it is told one."""
    from speechvq.priors.sequence.sampling import code_nll

    numbers = speaker_numbers(heldout, prior.speakers)
    told = {"prior": numbers}
    if len(prior.speakers) > 1:
        told["prior, told another speaker"] = other_speakers(numbers, len(prior.speakers))
    lengths = {}
    for name, speakers in told.items():
        starts = range(0, len(heldout), AT_ONCE)
        nats: list[np.ndarray] = []
        for start in progress(starts, total=len(starts), label=name, unit="batches"):
            part = slice(start, start + AT_ONCE)
            nats += code_nll(prior, [s.codes for s in heldout[part]], speakers[part].tolist())
        lengths[name] = code_length(nats, frame_rate)
    return lengths


def report(lengths: Mapping[str, CodeLength], heldout: Sequence[CodeString]) -> str:
    """A row a model, the best n-gram marked, and what the prior saves against it."""
    best = min((name for name in lengths if name in ORDERS), key=lambda name: lengths[name].bits)
    rows = [["", "bits a code", "95 % interval", "bits a second"]]
    for name, length in lengths.items():
        interval = f"{length.low:.3f} to {length.high:.3f}"
        rows.append([name, f"{length.bits:.3f}", interval, f"{length.bits_per_second:.0f}"])
    codes, saved = sum(len(s.codes) for s in heldout), 1 - lengths["prior"].bits / lengths[best].bits
    said = f"{100 * abs(saved):.1f} % {'under' if saved >= 0 else 'OVER'} the best n-gram, the {best}"
    return f"{len(heldout)} utterances, {codes} codes\n{align(rows, left=1)}\nthe prior is {said}"
