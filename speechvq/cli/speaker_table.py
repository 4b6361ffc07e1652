"""The table of `convert --list-speakers`: a model's speakers and the voices enrolled with it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from speechvq.cli import tables
from speechvq.errors import printable

if TYPE_CHECKING:
    from speechvq.speech.model import SpeechVQ
    from speechvq.speech.speakers.speaker_facts import SpeakerFacts
    from speechvq.speech.speakers.voice_file import Voice

HEADER = ["speaker", "sex", "speech (min)", "mean F0 (Hz)", "DNSMOS", ""]
ENROLLED, FEW = "enrolled", "little speech"


def speaker_table(
    model: "SpeechVQ", facts: "Mapping[str, SpeakerFacts]", voices: "Mapping[str, Voice]"
) -> str:
    """A row for each speaker, and notes on the columns.

    Args:
        model: its mean F0 of each speaker is shown.
        facts: what is known of the speakers; "-" marks what is not.
        voices: enrolled with the model.
    """
    from speechvq.speech.speakers.speaker_facts import FEW_MINUTES, SpeakerFacts

    rows = [HEADER]
    for name, f0 in zip(model.speakers, model.speaker_f0.tolist()):
        known = facts.get(name, SpeakerFacts())
        few = known.minutes is not None and known.minutes < FEW_MINUTES
        rows.append(_row(name, known, f0, FEW if few else ""))
    rows += [_row(name, SpeakerFacts(), voice.f0, ENROLLED) for name, voice in voices.items()]
    return "\n".join([tables.align(rows, left=2), *_notes(rows, FEW_MINUTES)])


def _row(name: str, facts: "SpeakerFacts", f0: float, note: str) -> list[str]:
    minutes, dnsmos = tables.number(facts.minutes, 1), tables.number(facts.resynthesis_dnsmos, 2)
    return [printable(name), facts.sex or tables.MISSING, minutes, tables.number(f0 or None, 0), dnsmos, note]


def _notes(rows: Sequence[Sequence[str]], few_minutes: float) -> list[str]:
    """What the columns mean, as far as the rows need it."""
    notes = {row[-1] for row in rows}
    lines = ["speech: used for training; mean F0: conversions are shifted to it; -: not known"]
    if any(row[4] != tables.MISSING for row in rows[1:]):
        lines.append("DNSMOS: predicted quality of resynthesized held-out sentences, 1 to 5 (best)")
    if FEW in notes:
        lines.append(f"{FEW}: under {few_minutes:g} minutes; conversions resemble the speaker only roughly")
    if ENROLLED in notes:
        lines.append(f"{ENROLLED}: NAME.safetensors in this folder, made by enroll")
    return lines
