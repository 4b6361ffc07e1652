"""The page of a report: a single HTML file that contains its audio and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechvq.evaluate.conversion.table import BASELINES, NOTES, summary_cells, summary_label
from speechvq.evaluate.rollout.table import rollout_rows, rollout_title
from speechvq.evaluate.stages.table import NOTES as STAGE_NOTES
from speechvq.evaluate.stages.table import difference_rows, stage_rows, title
from speechvq.metrics.summary import MetricSummary
from speechvq.report.audio_examples import AudioExample, GeneratedAudio
from speechvq.report.data_urls import audio_url, image_url
from speechvq.report.imagined import ImaginedVideo
from speechvq.report.likelihood import ImageGrids, LikelihoodTable
from speechvq.report.run_parts import MissingPart
from speechvq.report.speaker_pairs import SpeakerPairTable
from speechvq.report.units import THIS_RUN, AbxTable, ProtocolTables
from speechvq.results.rollout import RolloutResult
from speechvq.results.stages import StagesResult

TEMPLATE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class Page:
    """The content of a page; empty parts are left out."""

    name: str  # of the run
    about: str  # one sentence
    facts: Mapping[str, str]
    training_curve: Path  # PNG
    curve_caption: str
    images: ImageGrids
    likelihood: LikelihoodTable | None
    imagined: Sequence[ImaginedVideo]
    rollout: RolloutResult | None
    conversion: Path | None  # PNG
    examples: Sequence[AudioExample]
    speaker_pairs: SpeakerPairTable | None
    conversion_metrics: Sequence[MetricSummary]
    stages: StagesResult | None
    units: Path | None  # PNG
    protocols: Sequence[ProtocolTables]
    abx: AbxTable | None
    generated: GeneratedAudio
    config: str  # YAML
    missing: Sequence[MissingPart]
    provenance: str  # one line


def render_page(page: Page) -> str:
    """The page as HTML; names and configuration are escaped, so that they cannot add markup.

    Raises:
        UserError: a recording or figure cannot be read.
    """
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    rollout = page.rollout
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        page=page,
        this_run=THIS_RUN,
        targets=sorted({speaker for example in page.examples for speaker in example.converted}),
        resynthesis=any(example.resynthesis for example in page.examples),
        baselines=BASELINES,
        notes=NOTES,
        metrics=[(summary_label(each), summary_cells(each)) for each in page.conversion_metrics],
        stages=_stage_tables(page.stages) if page.stages else [],
        stages_title=title(page.stages) if page.stages else "",
        stage_notes=STAGE_NOTES,
        rollout_title=rollout_title(rollout) if rollout else "",
        rollout_tables=rollout_rows(rollout) if rollout else [],
        audio_url=audio_url,
        image_url=image_url,
    )


def _stage_tables(result: StagesResult) -> list[list[list[str]]]:
    """The tables of `evaluate stages`, as rows of cells with the header first."""
    return [stage_rows(result), *([difference_rows(result)] if result.differences else [])]
