"""Conversions in three folders without a manifest, matched by file name.

    SOURCE/UTT.*       or SOURCE/SPEAKER/UTT.*      source recordings
    CONVERTED/UTT.*    or CONVERTED/SPEAKER/UTT.*   conversions with the names of their sources, by target
    TARGET/*           or TARGET/SPEAKER/*          recordings of the target speakers

A folder without subfolders holds one speaker, who gets the name of the folder. If the folders of sources and
targets have the same name, the speakers are "source" and "target".
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from speechvq.audio.formats import AUDIO_SUFFIXES, audio_files_below
from speechvq.data.conversions import (
    ConversionPair,
    EvaluationFold,
    select_held_out_targets,
    select_references,
)
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError
from speechvq.io.names import normalized
from speechvq.io.utterance_files import by_utterance, find_matches, regular_files, relative_names

_HELD_OUT_EVERY = 4  # every fourth recording of a target is held out of the references
_MAX_NAMES = 5  # in a message


class Unmatched(NamedTuple):
    """File names of recordings without a partner."""

    without_source: list[str]  # conversions
    without_target: list[str]  # conversions to a speaker without recordings
    unconverted: list[str]  # sources

    def describe(self) -> list[str]:
        """A line for each kind that occurs."""
        kinds = {
            "conversions without a source of the same name": self.without_source,
            "conversions without recordings of their target": self.without_target,
            "sources without a conversion": self.unconverted,
        }
        return [f"left out: {len(names)} {what}: {_first(names)}" for what, names in kinds.items() if names]


def match_folders(
    source: Path, converted: Path, target: Path, count: int
) -> tuple[list[EvaluationFold], Unmatched]:
    """The conversions to measure, in two folds, and the recordings without a partner.

    The speaker classifier must not be fitted on the source of a conversion that it scores. Each half of every
    speaker's sentences is therefore scored with references from the other half and from unconverted sources.

    Args:
        source: folder of the sources.
        converted: folder of the conversions, with the names of their sources.
        target: folder of recordings of the target speakers, with other sentences than the conversions.
        count: references per speaker, at most.

    Raises:
        UserError: a folder is missing or has no recordings, two recordings have one name, nothing matches, or
            a source speaker has no recording but the converted one.
    """
    same_name = normalized(source.resolve().name) == normalized(target.resolve().name)
    sources = _read_sources(source, "source" if same_name else normalized(source.resolve().name))
    own = "target" if same_name else normalized(target.resolve().name)
    recordings = _read_targets(target, own, sources)
    paths = _audio_files(converted, "conversions")
    targets = sorted({each.speaker for each in recordings})
    pairs, unmatched = _match(converted, paths, _Sources(sources, source), targets)
    if not pairs:
        raise UserError(_nothing_matches(unmatched, source, converted, target))
    known = list(dict.fromkeys([*sources.values(), *recordings]))
    return _two_folds(pairs, known, count), unmatched


def _read_sources(folder: Path, speaker: str) -> dict[str, Utterance]:
    """Sources by name; recordings outside of subfolders are by `speaker`."""
    files = by_utterance(_audio_files(folder, "sources"), folder)
    return {
        name: Utterance(name, _subfolder(path, folder) or speaker, "train", 0.0, path)
        for name, path in files.items()
    }


def _read_targets(folder: Path, speaker: str, sources: Mapping[str, Utterance]) -> list[Utterance]:
    """Recordings of the targets; a recording that is also a source is the same utterance.

    Raises:
        UserError: a recording is a source by another speaker.
    """
    known_sources = {each.path.resolve(): each for each in sources.values()}
    recordings: list[Utterance] = []
    count: Counter[str] = Counter()
    for path in _audio_files(folder, "recordings of the target"):
        name = _subfolder(path, folder) or speaker
        count[name] += 1
        split = "train" if count[name] % _HELD_OUT_EVERY else "test"
        # In parallel corpora all speakers share the names of sentences, so the path is the utterance name.
        recording = known_sources.get(path.resolve(), Utterance(str(path), name, split, 0.0, path))
        if recording.speaker != name:
            raise UserError(
                f"{path}: is a source by '{recording.speaker}' and a recording of the target '{name}'; give "
                "recordings of the target"
            )
        recordings.append(recording)
    return recordings


def _audio_files(folder: Path, what: str) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of the {what}")
    if found := regular_files(audio_files_below(folder)):
        return found
    endings = ", ".join(sorted(AUDIO_SUFFIXES))
    raise UserError(f"{folder}: no {what} below; expected files ending in {endings}")


def _subfolder(path: Path, folder: Path) -> str:
    """The first subfolder of `folder` on the way to `path`; "" if there is none."""
    inside = path.relative_to(folder).parts
    return normalized(inside[0]) if len(inside) > 1 else ""


def _match(
    folder: Path, paths: Sequence[Path], sources: "_Sources", targets: Sequence[str]
) -> tuple[list[ConversionPair], Unmatched]:
    """Conversions with a source and a target; if no subfolder names a target, all are to the only target."""
    by_target = len(targets) > 1 or any(_subfolder(path, folder) in targets for path in paths)
    grouped: dict[str, list[Path]] = {}
    for path in paths:
        grouped.setdefault(_subfolder(path, folder) if by_target else targets[0], []).append(path)
    pairs: list[ConversionPair] = []
    unmatched = Unmatched([], [], [])
    for target, made in grouped.items():
        # Without a folder of a target, the first subfolder is the source's.
        below = folder / made[0].relative_to(folder).parts[0] if by_target and target else folder
        source_of = sources.of(made, below)
        for path in made:
            if path not in source_of:
                unmatched.without_source.append(str(path.relative_to(folder)))
            elif target not in targets:
                unmatched.without_target.append(str(path.relative_to(folder)))
            else:
                pairs.append(ConversionPair(target, source_of[path], path))
    converted = {pair.source.utt for pair in pairs}
    unmatched.unconverted.extend(name for name in sources.utterances if name not in converted)
    return sorted(pairs, key=lambda pair: pair.path), unmatched


class _Sources(NamedTuple):
    """The sources by name, and their folder."""

    utterances: Mapping[str, Utterance]
    folder: Path

    def of(self, conversions: Sequence[Path], folder: Path) -> dict[Path, Utterance]:
        """The source of each conversion to one target that has one.

        Args:
            conversions: files below `folder`.
            folder: their names below it are those of the sources.

        Raises:
            UserError: two conversions of one source, or a name that could be several.
        """
        names = relative_names({utt: each.path for utt, each in self.utterances.items()}, self.folder)
        path_of = by_utterance(conversions, folder)
        matched, unclear = find_matches(relative_names(path_of, folder), names)
        for key, could_be in unclear.items():
            raise UserError(
                f"{path_of[key]}: {' and '.join(could_be[:2])} could both be "
                f"{normalized(path_of[key].stem)} of one target; keep one"
            )
        return {path_of[key]: self.utterances[utt] for key, utt in matched.items()}


def _two_folds(
    pairs: Sequence[ConversionPair], known: Sequence[Utterance], count: int
) -> list[EvaluationFold]:
    """Every second sentence of each speaker, and the others; the references of a fold exclude its sources."""
    rank: dict[str, int] = {}
    num_sentences: Counter[str] = Counter()
    for source in sorted({pair.source for pair in pairs}, key=lambda each: each.utt):
        rank[source.utt] = num_sentences[source.speaker]
        num_sentences[source.speaker] += 1
    folds = []
    for half in (0, 1):
        if chosen := [pair for pair in pairs if rank[pair.source.utt] % 2 == half]:
            references = select_references(known, chosen, count)
            held_out = select_held_out_targets(chosen, known, references)
            folds.append(EvaluationFold(chosen, references, held_out))
    return folds


def _nothing_matches(unmatched: Unmatched, source: Path, converted: Path, target: Path) -> str:
    if unmatched.without_target:
        return (
            f"{target}: no recordings of the target of {converted / unmatched.without_target[0]}; expected "
            "TARGET/SPEAKER/*.wav for CONVERTED/SPEAKER/UTT.wav"
        )
    return (
        f"{converted}: no conversion has the name of a source in {source}, for example "
        f"{Path(unmatched.without_source[0]).stem!r} and {unmatched.unconverted[0]!r}; rename the files"
    )


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")
