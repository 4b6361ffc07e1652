"""`python -m speechvq.evaluate prior`: bits per code of held-out speech, beside uniform codes and n-grams.

The n-grams are fitted to the training codes of the prior with modified Kneser-Ney smoothing.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tables import MISSING, align
from speechvq.config import SequencePriorRun, read_run
from speechvq.data.code_strings import CodeString, mismatched_speakers, read_strings, speaker_indices
from speechvq.data.codes_directory import CodesDirectory, open_codes
from speechvq.errors import UserError
from speechvq.metrics.units.code_length import CodeLength, code_length
from speechvq.results.prior import PriorResult
from speechvq.runtime.device import find_device
from speechvq.runtime.progress import progress

if TYPE_CHECKING:
    from speechvq.priors.sequence.prior import SequencePrior

ORDERS = {"uniform": 0, "unigram": 1, "bigram": 2, "trigram": 3, "4-gram": 4}
MISMATCHED = "prior, mismatched speaker"
MAX_FIT_CODES = 10_000_000  # that n-grams are fitted to, spread over split train; bounds memory
BATCH = 16  # strings


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate prior", __doc__)
    parser.add_argument("--prior", type=Path, required=True, help="run of a prior over code strings")
    parser.add_argument("--codes", type=Path, help="codes directory (default: that of the prior's run)")
    parser.add_argument(
        "--manifest", type=Path, help="manifest.tsv or its folder (default: that of the prior's run)"
    )
    flags.add_scored_split(parser)
    flags.add_device(parser)
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    codes, manifest = _data(arguments)
    directory = open_codes(codes)
    if arguments.split == "train":
        raise UserError("--split train: the prior and the n-grams were fitted to it; give dev or test")
    strings = read_strings(directory, manifest, ("train", arguments.split))
    from speechvq.priors.sequence.model_directory import load_prior

    prior = load_prior(arguments.prior).to(find_device(arguments.device))
    check_codes(prior, directory)
    heldout = [string for string in strings if string.split == arguments.split]
    lengths = _ngram_lengths(_spread([s.codes for s in strings if s.split == "train"]), heldout, directory)
    lengths |= _prior_lengths(prior, heldout, directory.frame_rate_hz)
    result = PriorResult(
        split=arguments.split,
        utterances=len(heldout),
        codes=sum(len(s.codes) for s in heldout),
        models=lengths,
    )
    print(prior_table(result))
    if arguments.json:
        result.save(arguments.json)


def _data(arguments: argparse.Namespace) -> tuple[Path, Path | None]:
    """Codes directory and manifest: as given, or those of the run's training."""
    codes, manifest, place = arguments.codes, arguments.manifest, arguments.prior / "config.yaml"
    if (arguments.prior / "model").is_dir() and place.is_file():
        config = read_run(place)
        if not isinstance(config, SequencePriorRun):
            raise UserError(
                f"{place}: not a prior over code sequences; give a run trained with model.kind: sequence"
            )
        codes = codes or Path(config.data.codes)
        manifest = manifest or (Path(config.data.manifest) if config.data.manifest else None)
    if codes is None:
        raise UserError("--codes is needed: a model directory does not name its training data")
    return codes, manifest


def check_codes(prior: "SequencePrior", directory: CodesDirectory) -> None:
    """Refuse codes of another model than the prior's.

    Raises:
        UserError: K, the frame rate or the codebook differ.
    """
    expected = prior.code_spec
    found = type(expected)(directory.num_codes, directory.frame_rate_hz, directory.codebook)
    if expected != found and (difference := expected.difference(found)):
        raise UserError(
            f"{directory.path}: not codes of the prior's model, which has {difference}; encode again"
        )


def _spread(strings: Sequence[np.ndarray]) -> list[np.ndarray]:
    """All strings, or every n-th of them, so that about MAX_FIT_CODES codes are left."""
    every = -(-sum(map(len, strings)) // MAX_FIT_CODES)
    return list(strings[:: max(every, 1)])


def _ngram_lengths(
    training: Sequence[np.ndarray], heldout: Sequence[CodeString], directory: CodesDirectory
) -> dict[str, CodeLength]:
    from speechvq.priors.sequence.ngram import Ngram

    lengths = {}
    for name, order in progress(ORDERS.items(), total=len(ORDERS), label="n-grams", unit="orders"):
        ngram = Ngram(training, directory.num_codes, order)
        lengths[name] = code_length(ngram.nll([s.codes for s in heldout]), directory.frame_rate_hz)
    return lengths


def _prior_lengths(
    prior: "SequencePrior", heldout: Sequence[CodeString], frame_rate: float
) -> dict[str, CodeLength]:
    """Code lengths under the prior; for a prior with speakers, also conditioned on a wrong speaker."""
    from speechvq.priors.sequence.sampling import code_nll

    numbers = speaker_indices(heldout, prior.speakers)
    conditions = {"prior": numbers}
    if len(prior.speakers) > 1:
        conditions[MISMATCHED] = mismatched_speakers(numbers, len(prior.speakers))
    lengths = {}
    for name, speakers in conditions.items():
        starts = range(0, len(heldout), BATCH)
        nats: list[np.ndarray] = []
        for start in progress(starts, total=len(starts), label=name, unit="batches"):
            part = slice(start, start + BATCH)
            nats += code_nll(prior, [s.codes for s in heldout[part]], speakers[part].tolist())
        lengths[name] = code_length(nats, frame_rate)
    return lengths


def prior_table(result: PriorResult) -> str:
    """A row per model, and the difference of the prior to the best n-gram."""
    best = min((name for name in result.models if name in ORDERS), key=lambda name: result.models[name].bits)
    rows = [["", "bits per code ↓", "95 % CI", "bits per second"]]
    for name, length in result.models.items():
        interval = f"{length.low:.3f} to {length.high:.3f}" if math.isfinite(length.low) else MISSING
        rows.append([name, f"{length.bits:.3f}", interval, f"{length.bits_per_second:.0f}"])
    saved = 1 - result.models["prior"].bits / result.models[best].bits
    difference = f"{100 * abs(saved):.1f} % {'below' if saved >= 0 else 'ABOVE'} the best n-gram ({best})"
    title = f"{result.utterances} utterances, {result.codes} codes"
    return f"{title}\n{align(rows, left=1)}\nthe prior is {difference}"
