"""`python -m speechvq.evaluate generation`: generated codes and recordings compared with real speech.

The divergence is Jensen-Shannon's, from one half of the held-out codes. The other half ("real") and uniform
codes ("chance") are the reference values. Give codes that were generated without a prompt.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speechvq.alignment.directory import AlignmentDirectory, open_alignments
from speechvq.alignment.intervals import phones_at_frames
from speechvq.audio.waveform import read_waveform
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tables import align, number
from speechvq.data.code_strings import CodeString, read_strings
from speechvq.data.codes_directory import CodesDirectory, open_codes
from speechvq.data.conversions import read_reference_audio
from speechvq.data.manifest import Utterance, read_manifest
from speechvq.errors import UserError
from speechvq.metrics.units.code_statistics import (
    code_divergences,
    jensen_shannon,
    most_likely_phones,
    run_lengths,
)
from speechvq.results.generation import GenerationResult, GenerationRow
from speechvq.runtime.progress import progress

REFERENCES = 10  # recordings per speaker for the speaker classifier
_STATISTICS = {"unigrams": "unigrams", "bigrams": "bigrams", "runs": "run lengths"}


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate generation", __doc__)
    flags.add_codes(parser)
    parser.add_argument("--reference", type=Path, required=True, help="codes directory of real speech")
    flags.add_manifest(parser, "speakers and splits of the real speech")
    flags.add_scored_split(parser)
    flags.add_alignments(parser, required=False)
    flags.add_keep_labels(parser)
    parser.add_argument(
        "--sounds", type=Path, help="output folder of `generate`, to classify its speakers; needs --manifest"
    )
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if arguments.sounds and not arguments.manifest:
        raise UserError("--sounds needs --manifest, for recordings of the speakers")
    generated, reference = open_codes(arguments.codes), open_codes(arguments.reference)
    _check_same(generated, reference)
    strings = [generated.read(name) for name in sorted(generated.files)]
    real = read_strings(reference, arguments.manifest, (arguments.split,))
    for directory in (generated, reference):
        directory.warn_if_deduplicated()
    try:
        rows = _code_rows(strings, [string.codes for string in real], reference)
        if arguments.alignments:
            alignments = open_alignments(arguments.alignments, keep_labels=arguments.keep_labels)
            rows += _phone_rows(strings, real, reference, alignments)
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{arguments.codes}: {error}") from error
    rows += _speaker_rows(arguments.sounds, read_manifest(arguments.manifest)) if arguments.sounds else []
    print(
        f"{len(strings)} generated strings, {sum(map(len, strings))} codes; {len(real)} real strings\n"
        f"{_table(rows)}"
    )
    if arguments.alignments and (merged := alignments.describe_labels()):
        print(merged)
    if arguments.json:
        GenerationResult(rows).save(arguments.json)


def _check_same(one: CodesDirectory, other: CodesDirectory) -> None:
    """Refuse codes of different codebooks.

    Raises:
        UserError: number of codes, frame rate or fingerprint differ.
    """
    facts = [(each.num_codes, each.frame_rate_hz, each.codebook) for each in (one, other)]
    if facts[0] != facts[1]:
        raise UserError(
            f"{one.path} and {other.path}: codes of different models; encode the real speech with the model "
            "of the generated codes"
        )


def _code_rows(
    generated: Sequence[np.ndarray], real: Sequence[np.ndarray], directory: CodesDirectory
) -> list[GenerationRow]:
    """Divergences of unigrams, bigrams and run lengths, and the mean code duration."""
    frame_ms = 1000 / directory.frame_rate_hz
    rows = [
        GenerationRow(
            f"{name}_divergence_bits",
            f"{_STATISTICS[name]}: divergence from real codes (bits) ↓",
            "bits",
            values["generated"],
            values["real"],
            values["uniform"],
        )
        for name, values in code_divergences(generated, real, directory.num_codes).items()
    ]
    made, observed = (frame_ms * float(run_lengths(strings).mean()) for strings in (generated, real))
    uniform = frame_ms / (1 - 1 / directory.num_codes) if directory.num_codes > 1 else math.nan
    row = GenerationRow("mean_code_duration_ms", "mean code duration (ms)", "ms", made, observed, uniform)
    return [*rows, row]


def _phone_rows(
    generated: Sequence[np.ndarray],
    real: Sequence[CodeString],
    directory: CodesDirectory,
    aligned: AlignmentDirectory,
) -> list[GenerationRow]:
    """Phones and their durations, with every code mapped to its most frequent phone in the real strings."""
    rate = directory.frame_rate_hz
    names = {each.utt: f"{each.speaker}/{each.utt}" if each.speaker else each.utt for each in real}
    aligned = aligned.named_as(names)
    known = [string for string in real if string.utt in aligned.places]
    if not known:
        raise UserError(f"{aligned.path}: no alignment of the real strings, for example {real[0].utt}")
    intervals = [aligned.read(string.utt) for string in known]
    phones = [phones_at_frames(each, len(string.codes), rate) for each, string in zip(intervals, known)]
    phone_of_code = most_likely_phones([string.codes for string in known], phones, directory.num_codes)
    ids = np.unique(phone_of_code, return_inverse=True)[1]
    made = [ids[string] for string in generated]
    observed = [ids[string.codes] for string in known]
    uniform = [ids[np.random.default_rng(0).integers(directory.num_codes, size=10_000)]]
    durations = [1000 / rate * float(run_lengths(strings).mean()) for strings in (made, observed, uniform)]
    divergences = [
        jensen_shannon(np.concatenate(strings), np.concatenate(observed)) for strings in (made, uniform)
    ]
    aligned_duration = float(
        np.mean([1000 * (each.end - each.start) for utterance in intervals for each in utterance])
    )
    return [
        GenerationRow(
            "phone_divergence_bits",
            "phones by code map: divergence from real codes (bits) ↓",
            "bits",
            divergences[0],
            0.0,
            divergences[1],
        ),
        GenerationRow("mapped_phone_duration_ms", "mean phone duration by code map (ms)", "ms", *durations),
        GenerationRow(
            "aligned_phone_duration_ms",
            "mean phone duration by alignments (ms)",
            "ms",
            math.nan,
            aligned_duration,
            math.nan,
        ),
    ]


def _speaker_rows(folder: Path, utterances: Sequence[Utterance]) -> list[GenerationRow]:
    """Fraction of recordings that are classified as the speaker they were generated for."""
    from speechvq.metrics.speaker_classifier import SpeakerClassifier

    made = read_manifest(folder)
    by_speaker: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        if utterance.split == "train":
            by_speaker.setdefault(utterance.speaker, []).append(utterance)
    if missing := sorted({u.speaker for u in made} - by_speaker.keys()):
        raise UserError(
            f"{folder}: no recordings of {', '.join(missing[:5])} in split train; give the corpus manifest"
        )
    if len(by_speaker) < 2:
        raise UserError("--manifest: a single speaker; give a manifest of two speakers or more")
    references = [
        each[i]
        for each in by_speaker.values()
        for i in np.linspace(0, len(each) - 1, min(REFERENCES, len(each))).astype(int)
    ]
    waves = progress(
        read_reference_audio(references),
        total=len(references),
        label="fit the speaker classifier",
        unit="recordings",
    )
    classifier = SpeakerClassifier.fit(waves, [u.speaker for u in references])
    held_out = [u for u in utterances if u.split == "test" and u.speaker in by_speaker]
    accuracies = [
        float(np.mean([classifier.predict(read_waveform(u.path)) == u.speaker for u in group]))
        if group
        else math.nan
        for group in (made, held_out)
    ]
    chance = 1 / len(by_speaker)
    label = f"classified as intended speaker, of {len(by_speaker)} (%) ↑"
    return [GenerationRow("speaker_accuracy", label, "%", accuracies[0], accuracies[1], chance)]


def _table(rows: Sequence[GenerationRow]) -> str:
    formats = {"bits": (1, 3), "ms": (1, 1), "%": (100, 0)}
    lines = [["", "generated", "real", "chance"]]
    for row in rows:
        scale, digits = formats[row.unit]
        lines.append([row.label, *(number(scale * v, digits) for v in (row.generated, row.real, row.chance))])
    return align(lines, left=1)
