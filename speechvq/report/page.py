"""The page of a report: one HTML file that needs nothing but itself, sounds and pictures included."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechvq.evaluate.tables import summary_cells
from speechvq.io.atomic import write_bytes
from speechvq.metrics.summary import Figure
from speechvq.report.audio_examples import Example, Generated
from speechvq.report.data_urls import picture_url, sound_url
from speechvq.report.imagined import Imagined
from speechvq.report.likelihood import Drawn, LikelihoodTable
from speechvq.report.results import RolloutTables
from speechvq.report.units import AbxTable, Protocol
from speechvq.report.voices import VoiceTable

TEMPLATE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class Page:
    """What the page shows; a part without content is left out."""

    name: str  # of the run
    about: str  # a sentence
    facts: Mapping[str, str]
    curve: Path  # PNG
    curve_in_words: str
    pictures: Drawn
    likelihood: LikelihoodTable | None
    imagined: Sequence[Imagined]
    rollout: RolloutTables | None
    conversion: Path | None  # PNG
    examples: Sequence[Example]
    voices: VoiceTable | None
    scores: Sequence[Figure]
    units: Path | None  # PNG
    protocols: Sequence[Protocol]
    abx: AbxTable | None
    generated: Generated
    config: str  # YAML


def write_page(path: Path, page: Page) -> None:
    """Write the page; it is safe to show whatever stands in names and configuration.

    Raises:
        UserError: a sound or picture cannot be read; the disk is full or not writable.
    """
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        page=page,
        targets=sorted({voice for example in page.examples for voice in example.converted}),
        again=any(example.again for example in page.examples),
        scores=[(figure.label, summary_cells(figure)) for figure in page.scores],
        sound=sound_url,
        picture=picture_url,
    )
    write_bytes(path, text.encode())
