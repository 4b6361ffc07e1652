"""Audio on a page: source recordings with their resynthesis and conversions, and generated speech."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechvq.data.conversions import ConversionPair
from speechvq.data.manifest import Utterance, read_manifest
from speechvq.judges.resynthesis import find_resyntheses

MAX_GENERATED = 12
FIGURE = "generated.png"


@dataclass(frozen=True)
class AudioExample:
    """Audio files of one sentence."""

    source: Utterance
    resynthesis: Path | None  # decoded from the source's codes for the source speaker
    converted: Mapping[str, Path]  # by target speaker


@dataclass(frozen=True)
class GeneratedAudio:
    """Generated speech."""

    audio: Mapping[str, Path]  # by name
    figure: Path | None  # PNG


NO_AUDIO = GeneratedAudio({}, None)


def audio_examples(
    pairs: Sequence[ConversionPair], count: int, resynthesis: Path | None
) -> list[AudioExample]:
    """The first sentences, each with all its conversions.

    Args:
        pairs: all conversions, sentence by sentence.
        count: of sentences.
        resynthesis: a folder of resyntheses; then a conversion to the source speaker counts as one too.

    Raises:
        UserError: the folder of resyntheses is missing.
    """
    sentences: dict[Utterance, dict[str, Path]] = {}
    for pair in pairs:
        sentences.setdefault(pair.source, {})[pair.target] = pair.path
    resyntheses = {} if resynthesis is None else find_resyntheses(sentences, resynthesis)
    found = []
    for source, converted in list(sentences.items())[:count]:
        resynthesized = None
        if resynthesis is not None:
            to_source = converted.pop(source.speaker, None)
            resynthesized = resyntheses.get(source) or to_source
        found.append(AudioExample(source, resynthesized, converted))
    return found


def generated_audio(folder: Path) -> GeneratedAudio:
    """The audio and the figure that `generate --out` made.

    Raises:
        UserError: the folder has no manifest.
    """
    return GeneratedAudio({u.utt: u.path for u in read_manifest(folder)[:MAX_GENERATED]}, folder / FIGURE)
