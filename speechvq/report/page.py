"""The page of a report: one HTML file that needs nothing but itself, sounds and pictures included."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechvq.evaluate.conversion.table import summary_cells
from speechvq.io.atomic import write_bytes
from speechvq.metrics.summary import MetricSummary
from speechvq.report.audio_examples import AudioExample, GeneratedAudio
from speechvq.report.data_urls import audio_url, image_url
from speechvq.report.imagined import ImaginedVideo
from speechvq.report.likelihood import ImageGrids, LikelihoodTable
from speechvq.report.results import RolloutTables
from speechvq.report.speaker_pairs import SpeakerPairTable
from speechvq.report.units import AbxTable, ProtocolTables

TEMPLATE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class Page:
    """What the page shows; a part without content is left out."""

    name: str  # of the run
    about: str  # a sentence
    facts: Mapping[str, str]
    training_curve: Path  # PNG
    curve_caption: str
    images: ImageGrids
    likelihood: LikelihoodTable | None
    imagined: Sequence[ImaginedVideo]
    rollout: RolloutTables | None
    conversion: Path | None  # PNG
    examples: Sequence[AudioExample]
    speaker_pairs: SpeakerPairTable | None
    conversion_metrics: Sequence[MetricSummary]
    units: Path | None  # PNG
    protocols: Sequence[ProtocolTables]
    abx: AbxTable | None
    generated: GeneratedAudio
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
        again=any(example.resynthesis for example in page.examples),
        scores=[(figure.label, summary_cells(figure)) for figure in page.conversion_metrics],
        audio_url=audio_url,
        image_url=image_url,
    )
    write_bytes(path, text.encode())
