"""Converted recordings of a corpus, and the recordings of the manifest that they are compared with."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechvq.audio.formats import audio_files_below
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.data.manifest import Utterance, utterance_names
from speechvq.errors import UserError
from speechvq.io.names import normalized
from speechvq.io.utterance_files import by_utterance, match_names, relative_names

REFERENCE_SECONDS = 10  # read of each reference; more of the same sentence adds little

LAYOUT = "expected DIR/TARGET/UTT.wav, as `python -m speechvq.convert --src data/NAME --out DIR` writes"


class ConversionPair(NamedTuple):
    """A source utterance and its conversion."""

    target: str  # speaker
    source: Utterance
    path: Path  # of the converted recording


class EvaluationFold(NamedTuple):
    """Conversions and the recordings that they are compared with, none of which is a source of the fold."""

    pairs: list[ConversionPair]
    speaker_references: dict[str, list[Utterance]]  # recordings that represent each speaker
    held_out_targets: list[Utterance | None]  # for each pair, another recording of its target


def match_manifest(folder: Path, utterances: Sequence[Utterance], count: int) -> EvaluationFold:
    """The conversions `folder/TARGET/UTT.wav` of a corpus.

    Args:
        folder: of the conversions.
        utterances: of the manifest, with recordings that were not converted.
        count: references per speaker, at most.

    Raises:
        UserError: see `find_conversion_pairs` and `select_references`.
    """
    pairs = find_conversion_pairs(folder, utterances)
    references = select_references(utterances, pairs, count)
    return EvaluationFold(pairs, references, select_held_out_targets(pairs, utterances, references))


def find_conversion_pairs(folder: Path, utterances: Sequence[Utterance]) -> list[ConversionPair]:
    """The conversions `folder/TARGET/UTT.wav` or `folder/TARGET/SPEAKER/UTT.wav`, sorted by path.

    Raises:
        UserError: no such folder, no conversions in it, or a name that the manifest does not have.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; {LAYOUT}")
    speakers, known = {u.speaker for u in utterances}, {u.utt: u for u in utterances}
    by_target: dict[Path, list[Path]] = {}
    for path in audio_files_below(folder):
        if len(inside := path.relative_to(folder).parts) > 1:
            by_target.setdefault(folder / inside[0], []).append(path)
    pairs = []
    for place, paths in by_target.items():
        target = normalized(place.name)
        if target not in speakers:
            raise UserError(f"{place}: no speaker '{target}' in the manifest{_hint(target, speakers)}")
        files = by_utterance(paths, place)
        matched = match_names(relative_names(files, place), utterance_names(utterances))
        for name, path in files.items():
            if name not in matched:
                utt = normalized(path.stem)
                raise UserError(f"{path}: no utterance '{utt}' in the manifest{_hint(utt, known)}")
            pairs.append(ConversionPair(target, known[matched[name]], path))
    if not pairs:
        raise UserError(f"{folder}: no conversions there; {LAYOUT}")
    return pairs


def select_references(
    utterances: Sequence[Utterance], pairs: Sequence[ConversionPair], count: int
) -> dict[str, list[Utterance]]:
    """Reference recordings of each speaker: spread over the training split, without converted sources.

    Speakers without training recordings get references of other splits; speakers without recordings get none.

    Args:
        utterances: all recordings.
        pairs: the conversions.
        count: references per speaker, at most.

    Raises:
        UserError: a source or target speaker is left out, or fewer than two speakers remain.
    """
    converted = {pair.source.utt for pair in pairs}
    references: dict[str, list[Utterance]] = {}
    for speaker in sorted({u.speaker for u in utterances}):
        unused = [u for u in utterances if u.speaker == speaker and u.utt not in converted]
        pool = [u for u in unused if u.split == "train"] or unused
        picks = np.linspace(0, len(pool) - 1, min(count, len(pool))).astype(int)
        if len(pool):
            references[speaker] = [pool[i] for i in picks]
    for speaker in sorted({pair.target for pair in pairs} | {pair.source.speaker for pair in pairs}):
        if speaker not in references:
            raise UserError(
                f"speaker '{speaker}' has no recordings but the converted ones; "
                "add recordings of this speaker, or convert fewer"
            )
    if len(references) < 2:
        raise UserError(f"'{next(iter(references))}' is the only speaker; add recordings of a second speaker")
    return references


def select_held_out_targets(
    pairs: Sequence[ConversionPair],
    utterances: Sequence[Utterance],
    references: dict[str, list[Utterance]],
) -> list[Utterance | None]:
    """For each pair, a recording of its target that is no reference, preferably held out from training."""
    used = {u.utt for each in references.values() for u in each}
    pools: dict[str, list[Utterance]] = {}
    for pair in pairs:
        unused = [
            u
            for u in utterances
            if u.speaker == pair.target and u.utt not in used and u.utt != pair.source.utt
        ]
        pools.setdefault(pair.target, [u for u in unused if u.split != "train"] or unused)
    return [
        pools[pair.target][i % len(pools[pair.target])] if pools[pair.target] else None
        for i, pair in enumerate(pairs)
    ]


def read_reference_audio(utterances: Iterable[Utterance]) -> Iterator[np.ndarray]:
    """The first 10 s of each recording, (T,), float32, 16 kHz."""
    for utterance in utterances:
        yield read_waveform(utterance.path)[: REFERENCE_SECONDS * SAMPLE_RATE]


def _hint(name: str, names: Iterable[str]) -> str:
    similar = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean '{similar[0]}'?" if similar else "; give the manifest of the converted corpus"
