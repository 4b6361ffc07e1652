"""Names are the field's terms: words of an earlier private dialect are not used as names again, and no text
names a configuration key, flag or metric by its old name.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.tiny import ROOT

# Each of these named something that papers and libraries call otherwise; CONTRIBUTING.md, rule 3.
DIALECT = frozenset(
    "told tell hearing heard said spoilt disguise colour colours lay laid script carrier strangers stranger "
    "share shares lesson lessons learnt say deaf raised held recall remember companding excerpt "
    "emphasis revive_below wanderer leash nearness listening run_ms target_wins "
    "mel_distance harmonicity commonest_share collapsed_rate_hz speak speaking spoken recogniser".split()
)
OLD_KEYS = re.compile(
    r"(?<![\w-])(revive_below|encoder_rate|evaluate_crops|downsamplings|active_share|commonest_share|"
    r"voiced_share|bits_a_code|shuffled_bits_a_code|collapsed_bitrate|(shuffled_)?collapsed_rate_hz|"
    r"(source|converted)_(harmonicity|pitch|voiced)|(source|target)_speaker_pitch|(source|target)_votes|"
    r"pitch_(distance|nearer_target|shift)|mel_distance|(shuffled_)?run_ms(_longest|_median)?|target_wins|"
    r"--dev-share|--test-share|--voicing)(?![\w-])"
)
FILES = sorted(path for folder in ("speechvq", "recipes") for path in (ROOT / folder).rglob("*.py"))


def names(tree: ast.Module) -> Iterator[str]:
    """Names that a module gives: functions, classes, arguments, variables and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_are_terms_of_the_field(path: Path) -> None:
    given = {name.strip("_").lower() for name in names(ast.parse(path.read_text(encoding="utf-8")))}
    assert given & DIALECT == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_strings_name_no_old_key_or_flag(path: Path) -> None:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    strings = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [text for text in strings if OLD_KEYS.search(text)] == []


def test_recipes_and_manual_name_no_old_key_or_flag() -> None:
    paths = [
        ROOT / "README.md",
        *(ROOT / "speechvq/configs").glob("*.yaml"),
        *(ROOT / "recipes").rglob("*.sh"),
    ]
    assert [path for path in paths if OLD_KEYS.search(path.read_text(encoding="utf-8"))] == []
