"""`prepare images` that was stopped began anew; now it keeps the images that are done."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.audio_files import names
from helpers.interruption import interrupt_call
from speechvq import prepare
from speechvq.images import folder


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(256, size=(8, 8, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Six images in train, of which one is damaged, and two in test."""
    for number in range(8):
        write_image(tmp_path / f"in/{'train' if number < 6 else 'test'}/cat/{number}.png", number)
    (tmp_path / "in/train/cat/2.png").write_bytes(b"no image")
    return tmp_path / "in"


def test_a_second_call_does_the_rest(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(out: str) -> int:
        argv = ["images", "--root", str(pictures), "--out", str(tmp_path / out), "--size", "8"]
        return prepare.main(argv)

    assert run("whole") == 0
    with monkeypatch.context() as patch:
        interrupt_call(patch, folder, "load_image", 5)
        assert run("out") == 130
    assert not (tmp_path / "out/meta.json").exists() and not (tmp_path / "out/train.npy").exists()
    [labels] = (tmp_path / "out").glob(".unfinished-*/train.labels")
    with open(labels, "ab") as file:  # a label without its pixels, and half a label
        file.write(b"\0" * 11)
    calls: list[str] = []
    real = folder.load_image
    monkeypatch.setattr(
        folder, "load_image", lambda path, *rest: calls.append(path.stem) or real(path, *rest)
    )
    capsys.readouterr()
    found = folder.find_images(pictures)
    assert run("out") == 0 and calls == [path.stem for path in [*found["train"][4:], *found["test"]]]
    assert "train: 4 images of a stopped call are kept" in capsys.readouterr().err
    for name in ("train.npy", "train_labels.npy", "test.npy", "test_labels.npy", "meta.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert names(tmp_path / "out") == names(tmp_path / "whole")


def test_images_of_a_changed_source_are_not_continued(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["images", "--root", str(pictures), "--out", str(tmp_path / "out"), "--size", "8"]
    with monkeypatch.context() as patch:
        interrupt_call(patch, folder, "load_image", 5)
        assert prepare.main(argv) == 130
    write_image(pictures / "train/cat/2.png", 99)
    assert prepare.main(argv) == 0
    assert len(np.load(tmp_path / "out/train.npy")) == 6 and not [*(tmp_path / "out").glob(".unfinished-*")]
