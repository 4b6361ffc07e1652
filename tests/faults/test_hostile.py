"""The first cases of each family of hostile files; `python -m tests.faults.hostile` runs more."""

import pytest

from faults import hostile


@pytest.mark.parametrize("name", hostile.FAMILIES)
def test_hostile_files_end_in_a_result_or_in_one_line(name: str) -> None:
    score = hostile.run_family(name, 5)
    assert score.held == score.tried, score.fell


def first_harms(seed: int) -> list[str]:
    found: list[str] = []
    hostile.run_family("voice", 4, seed=seed, on_case=lambda line: found.append(line.split(":")[1]))
    return found


def test_a_case_is_a_function_of_seed_and_number() -> None:
    assert first_harms(3) == first_harms(3) != first_harms(4)
