"""Samples of every speaker of a bundled model, the figure of the README, and the table of docs/speakers.md.

python docs/site/make_samples.py                # docs/{audio/*.ogg,1088.flac,118.flac,voice.png}; a minute
python docs/site/make_samples.py --table        # the table alone
"""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

import soundfile

import speechvq
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.cli.tables import number
from speechvq.plots.conversion import plot_conversion
from speechvq.speech.speakers.speaker_facts import SpeakerFacts, load_speaker_facts

DOCS = Path(__file__).parents[1]
TABLE = re.compile(r"(<!-- begin: .*? -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Write the samples with seed 0, and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--model", default=speechvq.DEFAULT_MODEL, help="bundled model (default: %(default)s)"
    )
    parser.add_argument("--table", action="store_true", help="write no samples")
    arguments = parser.parse_args()
    model = speechvq.load(arguments.model)
    if not arguments.table:
        write_samples(model)
        write_figure(model)
    page = DOCS / "speakers.md"
    folder = Path(speechvq.__file__).parent / "pretrained" / arguments.model
    table = speaker_table(model, load_speaker_facts(folder))
    text = TABLE.sub(lambda match: match[1] + table + match[2], page.read_text(encoding="utf-8"))
    page.write_text(text, encoding="utf-8")


def write_samples(model: speechvq.SpeechVQ) -> None:
    """Write the conversion to every speaker as Opus."""
    source = read_waveform(DOCS / "source.flac")
    for speaker in model.speakers:
        path = DOCS / "audio" / f"{speaker}.ogg"
        wave = model.convert(source, speaker)
        soundfile.write(path, wave, SAMPLE_RATE, subtype="OPUS", compression_level=0.9)
        print(f"{path}: {path.stat().st_size / 1000:.1f} KB")


def write_figure(model: speechvq.SpeechVQ) -> None:
    """Write the two conversions of the first screen and their figure."""
    source = read_waveform(DOCS / "source.flac")
    converted = {speaker: model.convert(source, speaker) for speaker in ("1088", "118")}
    for speaker, wave in converted.items():
        soundfile.write(DOCS / f"{speaker}.flac", wave, SAMPLE_RATE, subtype="PCM_16")
    codes, rate = model.encode(source), SAMPLE_RATE / model.config.hop
    title = "speaker 19 (not in the training data)"
    num_codes = model.config.quantizer.num_codes
    plot_conversion(
        DOCS / "voice.png", source, codes, converted, title=title, frame_rate=rate, num_codes=num_codes
    )


def speaker_table(model: speechvq.SpeechVQ, facts: Mapping[str, SpeakerFacts]) -> str:
    """A Markdown table of the speakers with their samples; most training speech first."""
    rows = []
    for name, f0 in zip(model.speakers, model.speaker_f0.tolist()):
        known = facts.get(name, SpeakerFacts())
        cells = [
            f"`{name}`",
            known.sex,
            number(known.minutes, 1),
            number(f0, 0),
            number(known.resynthesis_dnsmos, 2),
            f"[{name}](audio/{name}.ogg)",
        ]
        rows.append((-(known.minutes or 0), name, f"| {' | '.join(cells)} |"))
    header = "| speaker | sex | training speech (min) | mean F0 (Hz) | quality, DNSMOS | sample |"
    return "\n".join(
        [header, "| --- | --- | --- | --- | --- | --- |", *(line for *_, line in sorted(rows)), ""]
    )


if __name__ == "__main__":
    main()
