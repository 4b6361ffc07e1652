"""`python -m speechvq.evaluate stages`: what each stage of a model costs in words, quality, speaker and F0.

A stage is a point on the path from a recording to its conversion. The same sentences are synthesized from the
spectra of the recordings, from the encoder's vectors before quantization and from the codes, all three with
noise as the excitation, and from the codes by the model's decoder, which is what `convert` does. The rows
that differ most show which part of the model to improve.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.data.manifest import Utterance, read_manifest, texts_beside
from speechvq.errors import UserError
from speechvq.io.names import split_names
from speechvq.runtime.progress import progress

if TYPE_CHECKING:
    from speechvq.evaluate.stages.sentences import Sentence, SpeakerEmbeddings
    from speechvq.evaluate.stages.sounds import StoredSounds
    from speechvq.evaluate.stages.synthesis import Stage
    from speechvq.judges.sound_judges import SoundJudges
    from speechvq.judges.word_error_rate import Recognizer
    from speechvq.speech.model import SpeechVQ

STAGE_NAMES = ("spectra", "vectors", "codes", "conversion")
ON_REQUEST = ("lossy", "live")


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate stages", __doc__)
    flags.add_model(parser)
    flags.add_manifest(parser, "the sources; texts are UTT.txt in txt/ beside it", required=True)
    parser.add_argument("--targets", required=True, help="speakers of the model, used in turn: A,B")
    parser.add_argument("--out", type=Path, required=True, help="folder of the sounds and scores; reused")
    flags.add_split(parser)
    flags.add_limit(parser)
    flags.add_number(parser, "--seeds", int, 1, 100, default=1, help="sounds per sentence and stage")
    parser.add_argument(
        "--stages",
        default=",".join(STAGE_NAMES),
        help="which stages, beside the recordings; on request: lossy, a copy of the recordings by Opus at 24 "
        "kbit/s; live, the conversion as a stream",
    )
    flags.add_whisper(parser)
    parser.add_argument(
        "--texts", type=Path, help="folder of the texts, UTT.txt (default: txt/ beside the manifest)"
    )
    parser.add_argument(
        "--references",
        type=Path,
        metavar="MANIFEST",
        help="manifest with recordings of the targets, for the speaker similarity (default: --manifest); in "
        "evaluate conversion, --references is a number of recordings",
    )
    flags.add_device(parser)
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    from speechvq.evaluate.stages.scoring import SoundScorer
    from speechvq.evaluate.stages.sentences import choose_sentences
    from speechvq.evaluate.stages.sounds import StoredSounds, weights_digest
    from speechvq.evaluate.stages.summary import summarize_stages
    from speechvq.evaluate.stages.synthesis import available_stages, sound_keys
    from speechvq.evaluate.stages.table import stages_table
    from speechvq.judges.sound_judges import SoundJudges
    from speechvq.results.stages import StagesResult
    from speechvq.speech.model import load_model
    from speechvq.speech.model_directory import read_speakers

    names = _listed(arguments.stages, "--stages", (*STAGE_NAMES, *ON_REQUEST))
    targets = _listed(arguments.targets, "--targets", known=read_speakers(arguments.model))
    recordings = read_manifest(arguments.manifest)
    chosen = [each for each in recordings if arguments.split in ("", each.split)]
    sentences = choose_sentences(chosen, targets, arguments.limit, arguments.manifest)
    texts = _texts(arguments, sentences)
    model = load_model(arguments.model, arguments.device)
    for target in targets:
        model.speaker_index(target)
    recognizer, left_out = _recognizer(arguments)
    judges = SoundJudges(recognizer)
    embeddings, unknown = _embeddings(arguments, judges, targets, recordings)
    stages, missing = available_stages(model, names)
    weights = weights_digest(model)
    sounds = StoredSounds(arguments.out, weights)
    _synthesize(model, stages, sentences, sounds, arguments.seeds)
    keys = [key for stage in stages for key in sound_keys(stage, sentences, arguments.seeds)]
    scorer = SoundScorer(model, sounds, judges, texts, embeddings)
    scored = [scorer.score(key) for key in progress(keys, total=len(keys), label="judge", unit="sounds")]
    estimates, differences = summarize_stages(stages, scored)
    result = StagesResult(
        model=str(arguments.model),
        weights=weights,
        sentences=len(sentences),
        words=round(sum(each.scores.get("words", 0) for each in scored if each.stage == stages[0].name)),
        seeds=arguments.seeds,
        judges=judges.descriptions,
        left_out=[*left_out, *judges.left_out, *unknown, *missing],
        stages=estimates,
        differences=differences,
        sounds=scored,
    )
    print(stages_table(result))
    if arguments.json:
        result.save(arguments.json)


def _listed(text: str, flag: str, choices: Sequence[str] = (), known: Sequence[str] = ()) -> list[str]:
    """Names separated by commas, each once; see `split_names`.

    Raises:
        UserError: none, or one that is not among the choices.
    """
    names = split_names(text, known.__contains__)
    if not names:
        raise UserError(f"{flag}: give at least one name")
    for name in names:
        if choices and name not in choices:
            raise UserError(f"{flag}: there is no '{name}'; there are {', '.join(choices)}")
    return list(dict.fromkeys(names))


def _texts(arguments: argparse.Namespace, sentences: "Sequence[Sentence]") -> Mapping[str, str]:
    """The texts of the sentences; {} if no words are measured.

    Raises:
        UserError: --whisper, and there are no texts.
    """
    from speechvq.judges.word_error_rate import read_texts

    if not arguments.whisper:
        return {}
    folder = arguments.texts or texts_beside(arguments.manifest)
    if folder is None:
        raise UserError(
            f"{arguments.manifest}: no texts in txt/ beside it, and --whisper needs them; give --texts DIR"
        )
    return read_texts(folder, [sentence.source for sentence in sentences])


def _recognizer(arguments: argparse.Namespace) -> "tuple[Recognizer | None, list[str]]":
    """The recognizer, or a line that says why there is none.

    Raises:
        UserError: --whisper names no model.
    """
    from speechvq.judges.whisper import WhisperRecognizer, require_extra

    if not arguments.whisper:
        return None, ["left out: WER and CER: give --whisper base, or another model"]
    try:
        require_extra()
    except UserError as error:
        return None, [f"left out: {error}"]
    return WhisperRecognizer(arguments.whisper, language=arguments.language), []


def _embeddings(
    arguments: argparse.Namespace,
    judges: "SoundJudges",
    targets: Sequence[str],
    recordings: Sequence[Utterance],
) -> "tuple[SpeakerEmbeddings | None, list[str]]":
    """The speakers' embeddings, and a line if targets have no recordings."""
    from speechvq.evaluate.stages.sentences import SpeakerEmbeddings

    references = read_manifest(arguments.references) if arguments.references else []
    if judges.speakers is None:
        return None, []
    known = {each.path: each for each in [*recordings, *references]}
    missing = [name for name in targets if name not in {each.speaker for each in known.values()}]
    line = (
        f"left out: similarity to {', '.join(missing)}: no recordings; give --references MANIFEST with some"
    )
    return SpeakerEmbeddings(judges.speakers, list(known.values())), [line] * bool(missing)


def _synthesize(
    model: "SpeechVQ",
    stages: "Sequence[Stage]",
    sentences: "Sequence[Sentence]",
    sounds: "StoredSounds",
    seeds: int,
) -> None:
    """Make the sounds that are not in the folder yet."""
    from speechvq.evaluate.stages.synthesis import RECORDINGS, sound_keys, synthesize_stage

    for stage in stages:
        keys = [key for key in sound_keys(stage, sentences, seeds) if not sounds.is_made(key)]
        if stage.name == RECORDINGS or not keys:
            continue
        made = synthesize_stage(model, stage, keys)
        for key, wave in progress(made, total=len(keys), label=stage.name, unit="sounds"):
            sounds.write(key, wave)
