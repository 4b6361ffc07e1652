"""From the scores of all sounds to the result: every stage, and what each costs."""

from collections.abc import Iterator, Sequence

from speechvq.evaluate.stages.synthesis import LOSSY, Stage
from speechvq.metrics.stages import Scores, compare_stages, estimate_stage
from speechvq.results.stages import ScoredSound, StageDifference, StageScores

Sentences = list[list[Scores]]  # the scores of the sounds of each sentence


def summarize_stages(
    stages: Sequence[Stage], sounds: Sequence[ScoredSound]
) -> tuple[list[StageScores], list[StageDifference]]:
    """The metrics of every stage, and their change from the stage before, which is never the lossy copy."""
    scores = {stage.name: _by_sentence(stage, sounds) for stage in stages}
    estimates = [StageScores(stage.name, stage.label, estimate_stage(scores[stage.name])) for stage in stages]
    differences = [
        StageDifference(
            stage.name,
            before.name,
            _what_differs(before, stage),
            compare_stages(scores[stage.name], scores[before.name]),
        )
        for before, stage in _pairs(stages)
    ]
    return estimates, differences


def _pairs(stages: Sequence[Stage]) -> Iterator[tuple[Stage, Stage]]:
    """Each stage but the first, after the nearest one before it that is not the lossy copy."""
    before = stages[0]
    for stage in stages[1:]:
        yield before, stage
        if stage.name != LOSSY:
            before = stage


def _by_sentence(stage: Stage, sounds: Sequence[ScoredSound]) -> Sentences:
    """The scores of a stage's sounds, grouped by sentence in the order of the sounds."""
    found: dict[tuple[str, str], list[Scores]] = {}
    for sound in sounds:
        if sound.stage == stage.name:
            found.setdefault((sound.utterance, sound.target), []).append(sound.scores)
    return list(found.values())


def _what_differs(before: Stage, stage: Stage) -> str:
    """What lies between two stages; both names if stages between them were left out."""
    return stage.added if before.name == stage.after else f"{stage.name} after {before.name}"
