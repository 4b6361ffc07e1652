"""The sentences to listen to: source, reconstruction and conversions; and speech from nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechvq.data.conversions import ConversionPair
from speechvq.data.manifest import Utterance, read_manifest
from speechvq.errors import UserError
from speechvq.judges.intelligibility import find_resynthesis

MAX_GENERATED = 12  # sounds from nothing, at most
FIGURE = "generated.png"


@dataclass(frozen=True)
class AudioExample:
    """A sentence to listen to; sounds are files."""

    source: Utterance
    resynthesis: Path | None  # the source spoken again from its codes, in its own voice
    converted: Mapping[str, Path]  # by the name of the voice


@dataclass(frozen=True)
class GeneratedAudio:
    """Speech from nothing."""

    audio: Mapping[str, Path]  # by name
    figure: Path | None  # PNG


NO_AUDIO = GeneratedAudio({}, None)


def audio_examples(
    jobs: Sequence[ConversionPair], count: int, resynthesis: Path | None
) -> list[AudioExample]:
    """The first sentences, each with all its conversions.

    Where reconstructions are given, what was converted into its own voice counts as one too.

    Raises:
        UserError: the folder of reconstructions is missing.
    """
    if resynthesis is not None and not resynthesis.is_dir():
        raise UserError(f"{resynthesis}: no such folder; expected DIR/UTT.wav or DIR/SPEAKER/UTT.wav")
    sentences: dict[Utterance, dict[str, Path]] = {}
    for job in jobs:
        sentences.setdefault(job.source, {})[job.target] = job.path
    found = []
    for source, converted in list(sentences.items())[:count]:
        again = None
        if resynthesis is not None:
            own = converted.pop(source.speaker, None)
            again = find_resynthesis(source, resynthesis) or own
        found.append(AudioExample(source, again, converted))
    return found


def generated_audio(folder: Path) -> GeneratedAudio:
    """The sounds that `generate` listed, and its picture.

    Raises:
        UserError: no manifest there.
    """
    return GeneratedAudio({u.utt: u.path for u in read_manifest(folder)[:MAX_GENERATED]}, folder / FIGURE)
