"""The command `demo`: mistakes are one line, and Ctrl-C ends it without leaving a file."""

import json
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from helpers.live_model import live_model
from helpers.tiny import python
from helpers.tiny_prior import prior_of
from speechvq import demo
from speechvq.priors.sequence.model_directory import save_prior


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra demo")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert demo.main(["--port", str(port), "--no-browser"]) == 2
    error = capsys.readouterr().err
    assert error == (
        f"speechvq.demo: error: --port {port}: another program uses it; give another, or 0 for any free one\n"
    )


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_out_of_range_is_one_line(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main([f"--port={port}"]) == 2
    assert capsys.readouterr().err == f"speechvq.demo: error: --port {port}: give 0 to 65535\n"


def test_a_missing_extra_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert demo.main(["--port", "0"]) == 2
    expected = "speechvq.demo: error: the demo needs aiohttp: pip install 'speechvq[demo]'\n"
    assert capsys.readouterr().err == expected


def test_a_missing_model_and_a_foreign_prior_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra demo")
    monkeypatch.chdir(tmp_path)
    live_model().save_pretrained(tmp_path / "model")
    save_prior(tmp_path / "prior", prior_of())
    for argv, words in (
        (["--model", "nowhere"], "nowhere: no model here"),
        (["--model", "model", "--prior", "prior"], "prior is no prior of model: the model has"),
        (["--model", "model", "--prior", "nowhere"], "nowhere"),
    ):
        assert demo.main(["--port", "0", "--no-browser", *argv]) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1


def test_ctrl_c_ends_it_and_removes_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra demo")
    live_model().save_pretrained(tmp_path / "model")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    arguments = ["-m", "speechvq.demo", "--port", "0", "--model", str(tmp_path / "model"), "--no-browser"]
    process = python(*arguments)
    assert process.stdout is not None
    url = process.stdout.readline().split()[0]
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/state") as answer:
        assert json.load(answer)["live"]["possible"]
    assert list(temporary.iterdir())
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and error.endswith("speechvq.demo: interrupted\n")
    assert "Traceback" not in error and not list(temporary.iterdir())
