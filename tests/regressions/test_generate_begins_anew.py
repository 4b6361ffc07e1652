"""`generate` wrote nothing until every sample was decoded, and a second call began anew."""

from pathlib import Path

import pytest

import speechvq
from helpers.audio_files import names, save_tiny_model
from helpers.interruption import interrupt_call
from helpers.tiny_prior import CONFIGS, prior_of
from speechvq import generate
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.model_directory import save_prior


def test_finished_samples_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_tiny_model(tmp_path / "run")
    spec = CodeSpec(8, 2000.0, speechvq.load(model).fingerprint())
    save_prior(tmp_path / "prior/model", prior_of(CONFIGS["wavenet"], code_spec=spec))
    monkeypatch.setattr(generate, "plot_generation", lambda *_, **__: None)
    monkeypatch.setattr(generate, "STREAMS", 2)

    def run(out: str, count: int, *more: str) -> int:
        flags = [
            "--model",
            model,
            "--prior",
            tmp_path / "prior",
            "--out",
            tmp_path / out,
            "--seconds",
            "0.02",
        ]
        return generate.main([*map(str, flags), "--speaker", "ada", "--count", str(count), *more])

    assert run("whole", 3) == 0
    interrupt_call(monkeypatch, generate, "_decode", 2)
    assert run("out", 3) == 130 and names(tmp_path / "out") >= {"ada_0.wav", "ada_1.wav"}
    capsys.readouterr()
    assert run("out", 3) == 0 and "1 done, 2 skipped (unchanged), 0 failed" in capsys.readouterr().err
    for name in names(tmp_path / "whole") - {"manifest.tsv"}:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert run("out", 4) == 0 and "1 done, 3 skipped" in capsys.readouterr().err
    assert run("out", 4, "--seed", "2") == 0 and "4 done, 0 skipped" in capsys.readouterr().err
