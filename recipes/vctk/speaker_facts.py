"""Writes `speakers.json` beside a model's weights: what `convert --list-speakers` shows beside the mean F0.

    python recipes/vctk/speaker_facts.py --model M --manifest data/vctk --sex SPEAKERS.TXT

A speaker's sex is stated only if a file states it. `evaluate voices --save` adds the quality.
"""

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import speechvq
from speechvq.data.manifest import read_manifest
from speechvq.data.splits import SplitRule, split_of
from speechvq.speech.model_directory import find_speech_model
from speechvq.speech.speakers.speaker_facts import SpeakerFacts, load_speaker_facts, save_speaker_facts


def main() -> None:
    """Write speakers.json; a quality in it stays."""
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
    parser.add_argument(
        "--sex",
        type=Path,
        action="append",
        default=[],
        help="SPEAKERS.TXT of LibriSpeech, or a table with tabs and the columns speaker and sex; repeatable",
    )
    arguments = parser.parse_args()
    speakers = speechvq.load(arguments.model).speakers
    utterances = [each for each in read_manifest(arguments.manifest) if each.speaker in speakers]
    if arguments.split_again:
        splits = split_of({each.utt: each.speaker for each in utterances}, SplitRule())
        utterances = [replace(each, split=splits[each.utt]) for each in utterances]
    training = [each for each in utterances if each.split == "train"]
    print(f"{len(training)} training utterances, {sum(each.seconds for each in training) / 60:.1f} min")
    sexes = {name: sex for path in arguments.sex for name, sex in read_sexes(path).items()}
    folder = find_speech_model(arguments.model)
    known = load_speaker_facts(folder)
    facts = {
        name: SpeakerFacts(
            sexes.get(name, ""),
            round(sum(each.seconds for each in training if each.speaker == name) / 60, 1),
            known.get(name, SpeakerFacts()).resynthesis_dnsmos,
        )
        for name in speakers
    }
    save_speaker_facts(folder, facts)


def read_sexes(path: Path) -> dict[str, str]:
    """F or M by speaker."""
    text = path.read_text(encoding="utf-8")
    if "\t" in text:
        return {row["speaker"]: row["sex"] for row in csv.DictReader(text.splitlines(), delimiter="\t")}
    rows = (line.split("|") for line in text.splitlines() if "|" in line and not line.startswith(";"))
    return {name.strip(): sex.strip() for name, sex, *_ in rows}


if __name__ == "__main__":
    main()
