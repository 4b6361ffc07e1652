"""Conversions as three folders of sounds, matched by name: anybody's, with no manifest.

    SOURCE/UTT.*       or SOURCE/SPEAKER/UTT.*      what was converted
    CONVERTED/UTT.*    or CONVERTED/VOICE/UTT.*     the same in another voice
    TARGET/*           or TARGET/VOICE/*            recordings of that voice, or of those voices

A folder without folders in it is of one voice, which bears its name (of two folders of one name: "source" and
"target").
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from speechvq.data.conversions import (
    ConversionPair,
    EvaluationFold,
    select_held_out_targets,
    select_references,
)
from speechvq.data.corpora.recording import AUDIO_SUFFIXES
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError
from speechvq.io.utterance_files import by_utterance, find_files

_KEPT = 4  # every fourth recording of a target is kept for comparison; its voice is known by the others
_SHOWN = 5  # names in a message


class Unmatched(NamedTuple):
    """What has no partner, by file name."""

    without_source: list[str]  # conversions
    without_target: list[str]  # conversions to a voice of which there are no recordings
    unconverted: list[str]  # sources

    def describe(self) -> list[str]:
        """A line for each kind that there is."""
        kinds = {
            "conversions have no source of their name": self.without_source,
            "conversions have no recordings of their voice": self.without_target,
            "sources have no conversion": self.unconverted,
        }
        return [f"left out: {len(names)} {what}: {_some(names)}" for what, names in kinds.items() if names]


def match_folders(
    source: Path, converted: Path, target: Path, count: int
) -> tuple[list[EvaluationFold], Unmatched]:
    """The conversions to measure, in two halves, and what could not be matched.

    A classifier that has heard the source of a conversion knows it too well. So each half of every speaker's
    sentences is judged by voices that are known from the other half, and from sources nobody converted.

    Args:
        source: folder of what was converted.
        converted: folder of conversions, named as their sources.
        target: folder of the target voices' recordings, other sentences than the conversions.
        count: recordings by which a voice is known, at most.

    Raises:
        UserError: a folder is missing or has no sounds, two sounds of one name, nothing matches, or a source
            speaker has no recording but the one that was converted.
    """
    alike = source.resolve().name == target.resolve().name
    sources = _sources(source, "source" if alike else source.resolve().name)
    recordings = _recordings(target, "target" if alike else target.resolve().name, sources)
    found = find_files(converted, AUDIO_SUFFIXES, what="conversions")
    jobs, unmatched = _match(converted, found, sources, sorted({each.speaker for each in recordings}))
    if not jobs:
        raise UserError(_nothing_matches(unmatched, source, converted, target))
    known = list(dict.fromkeys([*sources.values(), *recordings]))
    return _halves(jobs, known, count), unmatched


def _sources(folder: Path, voice: str) -> dict[str, Utterance]:
    """By name; those that lie in no other folder are of `voice`."""
    files = by_utterance(find_files(folder, AUDIO_SUFFIXES, what="sources"))
    return {
        name: Utterance(name, _voice(path, folder) or voice, "train", 0.0, path)
        for name, path in files.items()
    }


def _recordings(folder: Path, voice: str, sources: Mapping[str, Utterance]) -> list[Utterance]:
    """Of the targets; one that is a source too is the same utterance.

    Raises:
        UserError: one is another speaker's among the sources.
    """
    heard = {each.path.resolve(): each for each in sources.values()}
    recordings: list[Utterance] = []
    count: Counter[str] = Counter()
    for path in find_files(folder, AUDIO_SUFFIXES, what="recordings of the target"):
        speaker = _voice(path, folder) or voice
        count[speaker] += 1
        split = "train" if count[speaker] % _KEPT else "test"
        # Parallel corpora have one name for the same sentence of every speaker, so the name is the path.
        recording = Utterance(str(path), speaker, split, 0.0, path)
        known = heard.get(path.resolve(), recording)
        if known.speaker != speaker:
            raise UserError(
                f"{path}: is a source by '{known.speaker}' and a recording of the target '{speaker}'; give "
                "recordings of the target"
            )
        recordings.append(known)
    return recordings


def _voice(path: Path, folder: Path) -> str:
    """The folder in a folder that a sound lies in; "" for none."""
    inside = path.relative_to(folder).parts
    return inside[0] if len(inside) > 1 else ""


def _match(
    folder: Path, found: Sequence[Path], sources: Mapping[str, Utterance], voices: Sequence[str]
) -> tuple[list[ConversionPair], Unmatched]:
    """Conversions with source and target voice.

    Where no folder is named as a voice, all are of the only voice.
    """
    by_voice = any(_voice(path, folder) in voices for path in found)
    jobs: dict[tuple[str, str], ConversionPair] = {}
    unmatched = Unmatched([], [], [])
    for path in found:
        target = _voice(path, folder) if by_voice or len(voices) > 1 else voices[0]
        name = str(path.relative_to(folder))
        if path.stem not in sources:
            unmatched.without_source.append(name)
        elif target not in voices:
            unmatched.without_target.append(name)
        else:
            job = ConversionPair(target, sources[path.stem], path)
            other = jobs.setdefault((target, path.stem), job)
            if other is not job:
                raise UserError(f"{path} and {other.path} are both {path.stem} in one voice; keep one")
    converted = {job.source.utt for job in jobs.values()}
    unmatched.unconverted.extend(name for name in sources if name not in converted)
    return list(jobs.values()), unmatched


def _halves(jobs: Sequence[ConversionPair], known: Sequence[Utterance], count: int) -> list[EvaluationFold]:
    """Every second sentence of each speaker, and the others; each half without the other's sounds."""
    rank: dict[str, int] = {}
    spoken: dict[str, int] = {}
    for source in sorted({job.source for job in jobs}, key=lambda each: each.utt):
        rank[source.utt] = spoken.get(source.speaker, 0)
        spoken[source.speaker] = rank[source.utt] + 1
    folds = []
    for half in (0, 1):
        if chosen := [job for job in jobs if rank[job.source.utt] % 2 == half]:
            references = select_references(known, chosen, count)
            folds.append(
                EvaluationFold(chosen, references, select_held_out_targets(chosen, known, references))
            )
    return folds


def _nothing_matches(unmatched: Unmatched, source: Path, converted: Path, target: Path) -> str:
    if unmatched.without_target:
        return (
            f"{target}: no recordings of the voice of {converted / unmatched.without_target[0]}; expected "
            "TARGET/VOICE/*.wav for CONVERTED/VOICE/UTT.wav"
        )
    return (
        f"{converted}: no sound is named as one in {source}, for example "
        f"{Path(unmatched.without_source[0]).stem!r} and {unmatched.unconverted[0]!r}; name them alike"
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
