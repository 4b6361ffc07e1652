"""Writes `speakers.json` beside a model's weights: what `convert --list-speakers` shows beside the mean F0.

In two calls, with a resynthesis of held-out sentences in between:

    python recipes/vctk/speaker_facts.py --model M --manifest data/vctk --sentences OUT
    python -m speechvq.convert --model M --src OUT --target-speaker own --out OUT/resynthesis
    python recipes/vctk/speaker_facts.py --model M --manifest data/vctk --resynthesis OUT/resynthesis

A speaker's sex is stated only if a file states it.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import speechvq
from speechvq.audio.waveform import read_waveform
from speechvq.data.manifest import Utterance, read_manifest, write_manifest
from speechvq.data.splits import SplitRule, split_of
from speechvq.judges.speech_quality import DnsmosModel
from speechvq.speech.model_directory import find_speech_model
from speechvq.speech.speakers.speaker_facts import SpeakerFacts, save_speaker_facts

SENTENCES, MIN_SECONDS = 2, 2.0  # per speaker, for the resynthesis: how many, and of which duration at least


def main() -> None:
    """Write the held-out sentences, or speakers.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--manifest", type=Path, required=True, help="of the model's training")
    parser.add_argument(
        "--split-again",
        action="store_true",
        help="the model was trained with the default split, and the manifest has another one",
    )
    parser.add_argument("--sentences", type=Path, help="write a manifest of held-out sentences here and stop")
    parser.add_argument(
        "--sex",
        type=Path,
        action="append",
        default=[],
        help="SPEAKERS.TXT of LibriSpeech, or a table with tabs and the columns speaker and sex; repeatable",
    )
    parser.add_argument("--resynthesis", type=Path, help="SPEAKER/UTT.wav of the held-out sentences")
    arguments = parser.parse_args()
    speakers = speechvq.load(arguments.model).speakers
    utterances = [each for each in read_manifest(arguments.manifest) if each.speaker in speakers]
    if arguments.split_again:
        splits = split_of({each.utt: each.speaker for each in utterances}, SplitRule())
        utterances = [replace(each, split=splits[each.utt]) for each in utterances]
    training = [each for each in utterances if each.split == "train"]
    print(f"{len(training)} training utterances, {sum(each.seconds for each in training) / 60:.1f} min")
    if arguments.sentences:
        chosen = [each for name in speakers for each in heldout_sentences(utterances, name)]
        write_manifest(arguments.sentences / "manifest.tsv", chosen)
        print(f"{len(chosen)} sentences in {arguments.sentences}")
        return
    sexes = {name: sex for path in arguments.sex for name, sex in read_sexes(path).items()}
    facts = {
        name: SpeakerFacts(
            sexes.get(name, ""),
            round(sum(each.seconds for each in training if each.speaker == name) / 60, 1),
            dnsmos(arguments.resynthesis, name) if arguments.resynthesis else None,
        )
        for name in speakers
    }
    save_speaker_facts(find_speech_model(arguments.model), facts)


def heldout_sentences(utterances: Sequence[Utterance], speaker: str) -> list[Utterance]:
    """The shortest held-out sentences of a speaker."""
    heldout = [each for each in utterances if each.speaker == speaker and each.split in ("dev", "test")]
    long_enough = [each for each in heldout if each.seconds >= MIN_SECONDS]
    return sorted(long_enough, key=lambda each: each.seconds)[:SENTENCES]


def read_sexes(path: Path) -> dict[str, str]:
    """F or M by speaker."""
    text = path.read_text(encoding="utf-8")
    if "\t" in text:
        return {row["speaker"]: row["sex"] for row in csv.DictReader(text.splitlines(), delimiter="\t")}
    rows = (line.split("|") for line in text.splitlines() if "|" in line and not line.startswith(";"))
    return {name.strip(): sex.strip() for name, sex, *_ in rows}


def dnsmos(folder: Path, speaker: str) -> float | None:
    """Mean DNSMOS of a speaker's resynthesized sentences; None if there are none."""
    judge = DnsmosModel()
    scores = [judge.overall_score(read_waveform(path)) for path in sorted((folder / speaker).glob("*.wav"))]
    return round(float(np.mean(scores)), 2) if scores else None


if __name__ == "__main__":
    main()
