"""YAML 1.1 reads 1:30:00 as a number to the base 60, and a megabyte of small values took up to 19 s."""

import time
from pathlib import Path

import pytest

from speechvq.errors import UserError
from speechvq.io.yaml_files import parse_yaml, read_yaml


@pytest.mark.parametrize("text", ["1:30", "-1:30:59", "1:30:59.5", ":".join(["59"] * 5_000)])
def test_a_number_with_colons_is_a_string(text: str) -> None:
    assert parse_yaml(text) == text


def test_other_numbers_remain() -> None:
    assert parse_yaml("[12, -3, 0x10, 1.5, 1.0e-3, .inf]") == [12, -3, 16, 1.5, 1e-3, float("inf")]


@pytest.mark.parametrize("unit", ["{a: 1}, ", "a, ", "[], ", "'', "])
def test_a_huge_flow_collection_is_refused_in_bounded_time(unit: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for size in (250_000, 1_000_000):
        path.write_text(f"a: [{unit * (size // len(unit))}]")
        started = time.process_time()
        with pytest.raises(UserError, match=r"a.yaml: .*more than"):
            read_yaml(path)
        assert time.process_time() - started < 8


def test_a_file_of_ten_thousand_speakers_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("speakers:\n" + "".join(f"- id{i:05d}\n" for i in range(10_000)))
    assert len(read_yaml(tmp_path / "a.yaml")["speakers"]) == 10_000
