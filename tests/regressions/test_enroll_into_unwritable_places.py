"""`enroll` with a read-only --out, or with a file where a folder should be, ended with a traceback."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from helpers.audio_files import save_tiny_model, write_samples
from speechvq import enroll
from speechvq.training.tasks import enrollment


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("file/me.safetensors", "Not a directory"),
        ("folder", "a folder; give the voice file"),
        ("read_only/me.safetensors", "Read-only file system"),
        ("denied/me.safetensors", "no permission"),
    ],
)
def test_one_line_before_the_work(
    out: str,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """For the superuser no folder is read-only, so the system's answer is imitated."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    real = os.mkdir

    def refuse(path: str, *rest: object, **more: object) -> None:
        for part, kind in (("read_only", errno.EROFS), ("denied", errno.EACCES)):
            if part in str(path):
                raise OSError(kind, os.strerror(kind), str(path))
        real(path, *rest, **more)  # type: ignore[arg-type]

    def start(*_: object, **__: object) -> None:
        raise AssertionError("the enrollment has begun")

    speech = 0.1 * np.sign(np.sin(np.arange(8 * 16_000) / 20)) * np.sin(np.arange(8 * 16_000) / 3_000)
    audio, model = write_samples(tmp_path / "a.wav", speech), save_tiny_model(tmp_path / "run")
    monkeypatch.setattr(os, "mkdir", refuse)
    monkeypatch.setattr(enrollment, "enroll", start)
    argv = ["--name", "me", "--audio", audio, "--model", model, "--out", tmp_path / out]
    assert enroll.main([str(word) for word in argv]) == 2
    error = capsys.readouterr().err.splitlines()
    assert error[-1].startswith(f"speechvq.enroll: error: {tmp_path / out}") and reason in error[-1]
    assert not any("Traceback" in line for line in error)
