"""Tables of `evaluate stages`: the metrics after each stage, and the paired differences between stages."""

from collections.abc import Mapping, Sequence

from speechvq.cli.tables import MISSING, align, number
from speechvq.metrics.stages import METRICS, Estimate, StageMetric
from speechvq.results.stages import StagesResult

NOTES = (
    "95 % intervals by a bootstrap over sentences; differences are of the same sentences (paired)",
    "arrows: the better direction; F0: against the contour that the sound was given",
    "target preferred: nearer to the target than to the source speaker's other recordings (embedding)",
)


def stage_rows(result: StagesResult) -> list[list[str]]:
    """Rows of cells, the header first: each stage and its metrics."""
    shown = _shown(result)
    rows = [[stage.label, *_cells(shown, stage.metrics, signed=False)] for stage in result.stages]
    return [["sound", *(metric.label for metric in shown)], *rows]


def difference_rows(result: StagesResult) -> list[list[str]]:
    """Rows of cells, the header first: what was added between two stages, and the change of each metric."""
    shown = [each for each in _shown(result) if any(each.name in row.metrics for row in result.differences)]
    rows = [[row.label, *_cells(shown, row.metrics, signed=True)] for row in result.differences]
    return [["cost of", *(metric.label for metric in shown)], *rows]


def title(result: StagesResult) -> str:
    """What was measured."""
    words = f", {result.words} words" if result.words else ""
    seeds = f", {result.seeds} seeds" if result.seeds > 1 else ""
    return f"{result.model} ({result.weights}): {result.sentences} sentences{words}{seeds}"


def stages_table(result: StagesResult) -> str:
    """Both tables as text, with the judges and what was left out."""
    parts = [title(result), _transposed(stage_rows(result))]
    if result.differences:
        parts += ["", _transposed(difference_rows(result))]
    return "\n".join([*parts, *NOTES, *(f"judge: {each}" for each in result.judges), *result.left_out])


def _transposed(rows: Sequence[Sequence[str]]) -> str:
    """Rows as text, a line per metric: there are fewer stages than metrics, so this is narrower."""
    return align([list(column) for column in zip(*rows)], left=1)


def _shown(result: StagesResult) -> list[StageMetric]:
    """The metrics that any stage has."""
    return [metric for metric in METRICS if any(metric.name in stage.metrics for stage in result.stages)]


def _cells(shown: Sequence[StageMetric], metrics: Mapping[str, Estimate], *, signed: bool) -> list[str]:
    return [_cell(metric, metrics.get(metric.name), signed) for metric in shown]


def _cell(metric: StageMetric, estimate: Estimate | None, signed: bool) -> str:
    """Value and interval as "19.2 (14.1 to 24.6)", or "19.2 (-)" for a single sentence."""
    if estimate is None or number(estimate.value, 0) == MISSING:
        return MISSING
    scale, digits = (100, 1) if metric.percent else (1, 0 if "cents" in metric.name else 2)
    texts = [number(scale * value, digits) for value in estimate]
    if signed:
        texts = [text if text.startswith(MISSING) else f"+{text}" for text in texts]
    interval = MISSING if MISSING in texts else f"{texts[1]} to {texts[2]}"
    return f"{texts[0]} ({interval})"
