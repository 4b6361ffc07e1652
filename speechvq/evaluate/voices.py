"""`python -m speechvq.evaluate voices`: quality of each speaker of a model by resynthesis.

Held-out sentences of each speaker are encoded and decoded with that speaker's own voice, as by
`convert --target-speaker own`. DNSMOS (extra "quality") predicts the quality of the result, and that of the
recordings beside it. With --save, `convert --list-speakers` shows it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.audio.waveform import read_waveform
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tables import align, interval, number
from speechvq.data.manifest import Utterance, read_manifest
from speechvq.errors import UserError, printable
from speechvq.metrics.bootstrap import mean_with_interval
from speechvq.results.voices import VoiceQuality, VoicesResult
from speechvq.runtime.progress import progress

if TYPE_CHECKING:
    from speechvq.judges.speech_quality import QualityModel
    from speechvq.speech.model import SpeechVQ

HELD_OUT = "dev,test"
MIN_SECONDS = 2.0  # of a sentence


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate voices", __doc__)
    flags.add_model(parser)
    flags.add_manifest(parser, "recordings of the model's speakers", required=True)
    parser.add_argument("--split", default=HELD_OUT, help="splits of the sentences, separated by commas")
    flags.add_number(
        parser,
        "--sentences",
        int,
        1,
        1000,
        default=3,
        help=f"sentences per speaker: the shortest of at least {MIN_SECONDS:g} s",
    )
    parser.add_argument(
        "--save", action="store_true", help="write the quality into speakers.json of the model directory"
    )
    flags.add_device(parser)
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    splits = [name.strip() for name in arguments.split.split(",")]
    utterances = [each for each in read_manifest(arguments.manifest) if each.split in splits]

    from speechvq.judges.speech_quality import DnsmosModel
    from speechvq.speech.model import load_model
    from speechvq.speech.model_directory import read_speakers

    names = read_speakers(arguments.model)
    chosen = {name: choose_sentences(utterances, name, arguments.sentences) for name in names}
    if not any(chosen.values()):
        raise UserError(
            f"{arguments.manifest}: no recording of {MIN_SECONDS:g} s or more by a speaker of "
            f"{arguments.model} in split {', '.join(splits)}; give the manifest of its training"
        )
    judge = DnsmosModel()
    model = load_model(arguments.model, arguments.device)
    result = VoicesResult(
        model=str(arguments.model),
        splits=splits,
        judge="DNSMOS, overall",
        voices=measure_voices(model, judge, [each for sentences in chosen.values() for each in sentences]),
        without_sentences=[name for name, sentences in chosen.items() if not sentences],
    )
    print(voices_table(result))
    if arguments.save:
        _save(arguments.model, result)
    if arguments.json:
        result.save(arguments.json)


def choose_sentences(utterances: Sequence[Utterance], speaker: str, count: int) -> list[Utterance]:
    """The shortest recordings of a speaker that are long enough for the judge, at most `count`."""
    long_enough = [each for each in utterances if each.speaker == speaker and each.seconds >= MIN_SECONDS]
    return sorted(long_enough, key=lambda each: (each.seconds, each.utt))[:count]


def measure_voices(
    model: "SpeechVQ", judge: "QualityModel", sentences: Sequence[Utterance]
) -> list[VoiceQuality]:
    """Mean quality of the resynthesis and of the recordings for each speaker of the sentences.

    Args:
        model: has these speakers.
        judge: predicts the quality.
        sentences: recordings by them.

    Raises:
        UserError: a recording cannot be read.
    """
    scores: dict[str, list[tuple[float, float]]] = {}
    for each in progress(sentences, total=len(sentences), label="resynthesize", unit="sentences"):
        recording = read_waveform(each.path)
        resynthesis = model.convert(recording, each.speaker)
        pair = judge.overall_score(resynthesis), judge.overall_score(recording)
        scores.setdefault(each.speaker, []).append(pair)
    seconds = {name: sum(each.seconds for each in sentences if each.speaker == name) for name in scores}
    return [
        VoiceQuality(name, len(pairs), round(seconds[name], 1), *map(float, np.mean(pairs, axis=0)))
        for name, pairs in scores.items()
    ]


def voices_table(result: VoicesResult) -> str:
    """A row per speaker, the best first, and their mean with its interval over speakers."""
    rows = [["speaker", "sentences", "seconds", "resynthesis", "recordings"]]
    for each in sorted(result.voices, key=lambda each: -each.resynthesis):
        scores = number(each.resynthesis, 2), number(each.recordings, 2)
        rows.append([each.speaker, str(each.sentences), number(each.seconds, 1), *scores])
    mean, *bounds = mean_with_interval([each.resynthesis for each in result.voices])
    recordings = float(np.mean([each.recordings for each in result.voices]))
    total = sum(each.sentences for each in result.voices), sum(each.seconds for each in result.voices)
    rows.append(["mean", str(total[0]), number(total[1], 1), number(mean, 2), number(recordings, 2)])
    notes = [
        f"{result.judge}, predicted, 1 to 5 (best); sentences of split {', '.join(result.splits)}",
        f"95 % interval of the mean over speakers: {interval((bounds[0], bounds[1]))}",
    ]
    if result.without_sentences:
        notes.append(
            f"left out: {', '.join(map(printable, result.without_sentences))}: no recording of "
            f"{MIN_SECONDS:g} s or more in these splits"
        )
    return "\n".join([align(rows, left=1), *notes])


def _save(model: Path, result: VoicesResult) -> None:
    """Write the quality into `speakers.json` of the model; what else it holds stays."""
    from speechvq.speech.model_directory import find_speech_model
    from speechvq.speech.speakers.speaker_facts import SpeakerFacts, load_speaker_facts, save_speaker_facts

    folder = find_speech_model(model)
    facts = load_speaker_facts(folder)
    for each in result.voices:
        known = facts.get(each.speaker, SpeakerFacts())
        facts[each.speaker] = known._replace(resynthesis_dnsmos=round(each.resynthesis, 2))
    save_speaker_facts(folder, facts)
