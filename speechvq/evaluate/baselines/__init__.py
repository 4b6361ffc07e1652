"""`python -m speechvq.evaluate baselines`: phone purity and PNMI of baseline units on the same speech.

The baselines are one code for all frames (the majority phone), k-means on MFCC, the same in random order, and
k-means on the outputs of an encoder with random weights. All have the same number of codes and frame rate.
"""

import argparse
import dataclasses
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from speechvq.alignment.directory import open_alignments
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.config import SpeechConfig, read_run
from speechvq.data.codes_directory import META, open_codes
from speechvq.data.manifest import Utterance, read_manifest, utterance_names
from speechvq.data.unit_formats.npy import write_npy
from speechvq.errors import UserError
from speechvq.evaluate.aligned_speech import (
    AlignedSpeech,
    aligned_speech,
    read_waveforms,
    training_utterances,
)
from speechvq.io.atomic import write_json
from speechvq.runtime.device import find_device

if TYPE_CHECKING:
    from speechvq.metrics.units.baselines import BaselineCodes
    from speechvq.metrics.units.kmeans import Features
    from speechvq.results.units import BaselinesResult

# Training speech that k-means is fitted on (our choice): 500 frames per code at K = 512, minutes on one core.
MFCC_FRAMES = 300_000
UNTRAINED_SECONDS = 1200.0


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate baselines", __doc__)
    parser.add_argument(
        "--corpus", type=Path, required=True, help="manifest.tsv or its folder, for example data/vctk"
    )
    flags.add_alignments(parser)
    flags.add_keep_labels(parser)
    flags.add_shift_alignments(parser)
    parser.add_argument(
        "--num-codes",
        type=int,
        help="number of codes, for example 128 (default: as --codes or --config)",
    )
    parser.add_argument(
        "--frame-rate",
        type=float,
        help="codes per second, for example 25 (default: as --codes or --config)",
    )
    flags.add_scored_split(parser)
    parser.add_argument("--seeds", type=int, default=3, help="seeds that the results are averaged over")
    flags.add_tier(parser)
    parser.add_argument(
        "--config",
        type=Path,
        help="configuration of the untrained encoder (default: the paper's layers at this frame rate)",
    )
    parser.add_argument(
        "--codes", type=Path, nargs="+", default=[], help="codes directories to score beside the baselines"
    )
    flags.add_device(parser)
    flags.add_json(parser)
    parser.add_argument("--out", type=Path, help="folder for the units, one codes directory per seed")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    _fill_in_numbers(arguments)
    _check_numbers(arguments)
    config = _encoder_config(arguments)
    utterances = read_manifest(arguments.corpus)
    alignments = open_alignments(arguments.alignments, tier=arguments.tier, keep_labels=arguments.keep_labels)
    speech = aligned_speech(
        utterances,
        arguments.split,
        alignments,
        where=arguments.corpus,
        shift=arguments.shift_alignments,
    )
    given = [_read_units(folder, speech, arguments) for folder in arguments.codes]

    from speechvq.evaluate.baselines.table import baseline_table

    baselines = _make_units(utterances, speech, arguments, config)
    result = _score([*baselines, *given], speech, arguments)
    result = dataclasses.replace(result, labels_merged=alignments.num_merged)
    print(baseline_table(result.protocols))
    seeds = f"; mean ± standard deviation over {arguments.seeds} seeds" if arguments.seeds > 1 else ""
    print(f"\nk-means is fitted on split train{seeds}")
    if merged := alignments.describe_labels():
        print(merged)
    if isinstance(config, str):
        print(f"without the untrained encoder: {config}")
    if arguments.out:
        _write_units(arguments, baselines, speech)
    if arguments.json:
        result.save(arguments.json)


def _fill_in_numbers(arguments: argparse.Namespace) -> None:
    """Set K and the rate, where they are not given, to those of --codes or --config."""
    if arguments.num_codes is not None and arguments.frame_rate is not None:
        return
    if arguments.codes:
        codes = open_codes(arguments.codes[0])
        found = codes.num_codes, codes.frame_rate_hz
    elif arguments.config and isinstance(model := read_run(arguments.config).model, SpeechConfig):
        found = model.quantizer.num_codes, model.frame_rate
    else:
        raise UserError(
            "--num-codes and --frame-rate are needed; give both, or --codes DIR or --config to take them from"
        )
    arguments.num_codes = found[0] if arguments.num_codes is None else arguments.num_codes
    arguments.frame_rate = found[1] if arguments.frame_rate is None else arguments.frame_rate


def _check_numbers(arguments: argparse.Namespace) -> None:
    """Refuse numbers out of range."""
    if not 1 <= arguments.num_codes <= 65_536:
        raise UserError(f"--num-codes {arguments.num_codes}: give 1 to 65536")
    if not 1 <= arguments.frame_rate <= 1000:
        raise UserError(f"--frame-rate {arguments.frame_rate}: give 1 to 1000 codes per second")
    if not 1 <= arguments.seeds <= 100:
        raise UserError(f"--seeds {arguments.seeds}: give 1 to 100")


def _encoder_config(arguments: argparse.Namespace) -> SpeechConfig | str:
    """The untrained encoder's configuration, or why there is none.

    Raises:
        UserError: the recipe is of another kind, number of codes or rate.
    """
    if not arguments.config:
        return _paper_config(arguments.num_codes, arguments.frame_rate)
    model = read_run(arguments.config).model
    if not isinstance(model, SpeechConfig):
        raise UserError(f"{arguments.config}: not a speech model; give for example --config phone640")
    if model.quantizer.num_codes != arguments.num_codes or not math.isclose(
        model.frame_rate, arguments.frame_rate
    ):
        raise UserError(
            f"{arguments.config}: has {model.quantizer.num_codes} codes at {model.frame_rate:g} Hz; "
            f"give --num-codes {model.quantizer.num_codes} --frame-rate {model.frame_rate:g}"
        )
    return model


def _paper_config(num_codes: int, frame_rate: float) -> SpeechConfig | str:
    from speechvq.evaluate.baselines.untrained import same_rate_config

    try:
        return same_rate_config(num_codes, frame_rate)
    except ValueError as error:
        return str(error)


def _make_units(
    utterances: Sequence[Utterance],
    speech: AlignedSpeech,
    arguments: argparse.Namespace,
    config: SpeechConfig | str,
) -> "list[BaselineCodes]":
    """The units of all baselines on the speech that is scored."""
    from speechvq.audio.mfcc import mfcc
    from speechvq.evaluate.baselines.untrained import untrained_features
    from speechvq.metrics.units.baselines import constant_codes, kmeans_codes, shuffled_codes

    device, seeds = find_device(arguments.device), range(arguments.seeds)
    mfcc_at_rate: Features = partial(mfcc, frame_rate_hz=arguments.frame_rate)
    # Name, features for each seed, and seconds of training speech.
    kmeans = [("k-means on MFCC", [mfcc_at_rate] * len(seeds), MFCC_FRAMES / arguments.frame_rate)]
    if isinstance(config, SpeechConfig):
        encoders = [untrained_features(config, seed, device) for seed in seeds]
        kmeans.append(("untrained encoder", encoders, UNTRAINED_SECONDS))
    units = []
    for name, features, seconds in kmeans:
        training = read_waveforms(training_utterances(utterances, seconds), label=f"{name}: fit")
        waveforms = read_waveforms(speech.utterances, label=f"{name}: encode")
        try:
            units += kmeans_codes(name, features, training, waveforms, arguments.num_codes)
        except ValueError as error:
            raise UserError(f"{arguments.corpus}: {error}") from None
    constant = constant_codes([len(each) for each in units[0].codes])
    return [constant, *map(shuffled_codes, units[: len(seeds)]), *units]


def _read_units(folder: Path, speech: AlignedSpeech, arguments: argparse.Namespace) -> "BaselineCodes":
    """The units of a codes directory on the speech that is scored."""
    from speechvq.metrics.units.baselines import BaselineCodes

    codes = open_codes(folder)
    if codes.num_codes != arguments.num_codes or not math.isclose(codes.frame_rate_hz, arguments.frame_rate):
        raise UserError(
            f"{folder / META}: {codes.num_codes} codes at {codes.frame_rate_hz:g} Hz, not as asked for; "
            f"give --num-codes {codes.num_codes} --frame-rate {codes.frame_rate_hz:g}"
        )
    codes = codes.named_as(utterance_names(speech.utterances))
    missing = [u.utt for u in speech.utterances if u.utt not in codes.files]
    if missing:
        raise UserError(
            f"{folder}: no codes of {len(missing)} utterances of split '{arguments.split}', {missing[0]} for "
            "example; encode the whole split"
        )
    strings = [codes.read(u.utt) for u in speech.utterances]
    codes.warn_if_deduplicated()
    return BaselineCodes(str(folder), 0, strings)


def _score(
    units: "Sequence[BaselineCodes]", speech: AlignedSpeech, arguments: argparse.Namespace
) -> "BaselinesResult":
    """Score all units by both protocols."""
    from speechvq.metrics.units.purity import PROTOCOLS, LabeledCodes, score_purity
    from speechvq.results.units import BaselinesResult, PurityMetrics

    speakers = [u.speaker for u in speech.utterances]
    scores: dict[str, dict[str, list[PurityMetrics]]] = {
        protocol: {each.name: [] for each in units} for protocol in PROTOCOLS
    }
    for each in units:
        labeled = map(LabeledCodes, each.codes, speech.phones, speakers)
        found = score_purity(
            labeled, arguments.num_codes, arguments.frame_rate, seed=each.seed, num_resamples=0
        )
        for protocol, score in found.items():
            scores[protocol][each.name].append(PurityMetrics.from_json(score.metrics))
    return BaselinesResult(
        split=arguments.split,
        num_codes=arguments.num_codes,
        frame_rate_hz=arguments.frame_rate,
        utterances=len(speech.utterances),
        without_alignment=speech.missing,
        protocols=scores,
    )


def _write_units(
    arguments: argparse.Namespace, units: "Sequence[BaselineCodes]", speech: AlignedSpeech
) -> None:
    """Write a codes directory per baseline and seed, for example OUT/k-means_on_MFCC-0."""
    for each in units:
        folder = arguments.out / f"{each.name.replace(' ', '_')}-{each.seed}"
        meta = {"frame_rate_hz": arguments.frame_rate, "num_codes": arguments.num_codes}
        made_by = {"units": each.name, "seed": each.seed}
        write_json(folder / META, meta | made_by)
        for utterance, codes in zip(speech.utterances, each.codes):
            write_npy(folder / f"{utterance.utt}.npy", codes.astype("int64"))
