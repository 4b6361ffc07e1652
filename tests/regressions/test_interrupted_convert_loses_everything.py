"""`convert` of 64 files wrote nothing until all were done, and a second call began anew."""

from pathlib import Path

import pytest

from helpers.audio_files import names, save_tiny_model, write_tone
from helpers.interruption import interrupt_call
from speechvq import convert


@pytest.mark.parametrize("more", [(), ("--chunked",)])
def test_finished_files_are_kept_and_the_second_call_does_the_rest(
    more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_tiny_model(tmp_path / "run")
    for number in range(5):
        write_tone(tmp_path / f"in/{number}.wav", samples=400 + 7 * number)

    def argv(out: str) -> list[str]:
        flags = [
            "--model",
            model,
            "--src",
            tmp_path / "in",
            "--target-speaker",
            "bob",
            "--out",
            tmp_path / out,
        ]
        return [*map(str, flags), *more]

    assert convert.main(argv("whole")) == 0
    monkeypatch.setattr(convert, "MAX_STREAMS_ON_CPU", 2)
    interrupt_call(monkeypatch, convert, "_convert", 2)
    capsys.readouterr()
    assert convert.main(argv("out")) == 130
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "2 done, 0 skipped (unchanged), 0 failed", "speechvq.convert: interrupted",
    ]  # fmt: skip
    kept = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in names(tmp_path / "out")}
    assert kept.keys() == {"bob/3.wav", "bob/4.wav"}
    assert convert.main(argv("out")) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "3 done, 2 skipped (unchanged), 0 failed"
    assert names(tmp_path / "out") == names(tmp_path / "whole")
    for name in names(tmp_path / "whole"):  # the groups do not matter
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert all((tmp_path / "out" / name).stat().st_mtime_ns == date for name, date in kept.items())
