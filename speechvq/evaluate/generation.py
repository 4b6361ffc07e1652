"""`python -m speechvq.evaluate generation`: are generated codes and sounds like real ones?

Divergences are those of Jensen and Shannon from half of the held-out codes, beside the other half's: what
real speech scores; uniform codes show what nothing scores. Give codes that were generated without a prompt.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speechvq.alignment.directory import open_alignments
from speechvq.alignment.intervals import phones_at_frames
from speechvq.audio.waveform import read_waveform
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.tables import align, number, percent
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

REFERENCES = 10  # recordings by which a voice is known


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate generation", description=__doc__)
    flags.add_codes(parser)
    parser.add_argument("--reference", type=Path, required=True, help="codes directory of real speech")
    flags.add_manifest(parser, "speakers and splits of the real speech")
    flags.add_scored_split(parser)
    flags.add_alignments(parser, required=False)
    parser.add_argument(
        "--sounds", type=Path, help="folder that generate made, to recognize its speakers; needs --manifest"
    )
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if arguments.sounds and not arguments.manifest:
        raise UserError("--sounds needs --manifest: recordings by which the voices are known")
    generated, reference = open_codes(arguments.codes), open_codes(arguments.reference)
    _check_same(generated, reference)
    made = [generated.read(name) for name in sorted(generated.files)]
    real = read_strings(reference, arguments.manifest, (arguments.split,))
    try:
        rows = _codes(made, [string.codes for string in real], reference)
        if arguments.alignments:
            rows += _phones(made, real, reference, arguments.alignments)
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{arguments.codes}: {error}") from error
    rows += _voices(arguments.sounds, read_manifest(arguments.manifest)) if arguments.sounds else []
    print(
        f"{len(made)} generated strings, {sum(map(len, made))} codes; {len(real)} real ones\n{_table(rows)}"
    )
    if arguments.json:
        GenerationResult(rows).save(arguments.json)


def _check_same(one: CodesDirectory, other: CodesDirectory) -> None:
    """Refuse codes of different codebooks.

    Raises:
        UserError: other K, rate or fingerprint.
    """
    facts = [(each.num_codes, each.frame_rate_hz, each.codebook) for each in (one, other)]
    if facts[0] != facts[1]:
        raise UserError(
            f"{one.path} and {other.path}: codes of different models; encode the real speech with this one"
        )


def _codes(
    made: Sequence[np.ndarray], real: Sequence[np.ndarray], directory: CodesDirectory
) -> list[GenerationRow]:
    """Which codes, which pairs, for how long."""
    found, milliseconds = code_divergences(made, real, directory.num_codes), 1000 / directory.frame_rate_hz
    rows = [
        GenerationRow(f"{name} away from real ones", "bits", each["generated"], each["real"], each["uniform"])
        for name, each in found.items()
    ]
    lengths = (milliseconds * float(run_lengths(strings).mean()) for strings in (made, real))
    uniform = milliseconds / (1 - 1 / directory.num_codes) if directory.num_codes > 1 else math.nan
    return [*rows, GenerationRow("a code stays", "ms", *lengths, uniform)]


def _phones(
    made: Sequence[np.ndarray], real: Sequence[CodeString], directory: CodesDirectory, alignments: Path
) -> list[GenerationRow]:
    """Phones and their durations through the map of codes to phones that the real strings give."""
    aligned, rate = open_alignments(alignments), directory.frame_rate_hz
    known = [string for string in real if string.utt in aligned.places]
    if not known:
        raise UserError(f"{alignments}: no alignment of the real strings, for example {real[0].utt}")
    intervals = [aligned.read(string.utt) for string in known]
    phones = [phones_at_frames(each, len(string.codes), rate) for each, string in zip(intervals, known)]
    table = most_likely_phones([string.codes for string in known], phones, directory.num_codes)
    numbers = np.unique(table, return_inverse=True)[1]
    spoken = [numbers[strings] for strings in made], [numbers[string.codes] for string in known]
    uniform = [numbers[np.random.default_rng(0).integers(directory.num_codes, size=10_000)]]
    means = [1000 / rate * float(run_lengths(strings).mean()) for strings in (*spoken, uniform)]
    shares = [
        jensen_shannon(np.concatenate(strings), np.concatenate(spoken[1])) for strings in (spoken[0], uniform)
    ]
    true = float(np.mean([1000 * (each.end - each.start) for every in intervals for each in every]))
    return [
        GenerationRow("phones, by the map, away from real ones", "bits", shares[0], 0.0, shares[1]),
        GenerationRow("a phone lasts, by the map", "ms", *means),
        GenerationRow("a phone lasts, by the alignments", "ms", math.nan, true, math.nan),
    ]


def _voices(sounds: Path, utterances: Sequence[Utterance]) -> list[GenerationRow]:
    """How many sounds are heard as the voice they were generated for."""
    from speechvq.metrics.speaker_classifier import SpeakerClassifier

    made = read_manifest(sounds)
    by_voice: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        if utterance.split == "train":
            by_voice.setdefault(utterance.speaker, []).append(utterance)
    if missing := sorted({u.speaker for u in made} - by_voice.keys()):
        raise UserError(
            f"{sounds}: no recordings of {', '.join(missing[:5])} in split train; give the corpus' manifest"
        )
    if len(by_voice) < 2:
        raise UserError("the manifest has a single speaker, so there is nothing to tell apart")
    references = [
        each[i]
        for each in by_voice.values()
        for i in np.linspace(0, len(each) - 1, min(REFERENCES, len(each))).astype(int)
    ]
    heard = progress(
        read_reference_audio(references), total=len(references), label="learn the voices", unit="recordings"
    )
    classifier = SpeakerClassifier.fit(heard, [u.speaker for u in references])
    held_out = [u for u in utterances if u.split == "test" and u.speaker in by_voice]
    shares = [
        float(np.mean([classifier.predict(read_waveform(u.path)) == u.speaker for u in each]))
        if each
        else math.nan
        for each in (made, held_out)
    ]
    return [GenerationRow(f"heard as its voice, of {len(by_voice)}", "%", *shares, 1 / len(by_voice))]


def _table(rows: Sequence[GenerationRow]) -> str:
    digits = {"bits": 3, "ms": 1}
    lines = [["", "generated", "real", "chance", ""]]
    for row in rows:
        values = row.generated, row.real, row.chance
        cells = [percent(v) if row.unit == "%" else number(v, digits[row.unit]) for v in values]
        lines.append([row.label, *cells, "" if row.unit == "%" else row.unit])
    return align(lines, left=1)
