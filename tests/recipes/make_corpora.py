"""Tiny corpora in the published layouts, made from the built-in corpus and noise, for the cut recipes."""

import argparse
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

CHAPTER = 1
SPEAKERS, SENTENCES = 4, 8  # of the built-in corpus; sentences per speaker
SIZE, IMAGES = 40, 48  # pixels; images of each class
RECORDS = 64  # of a CIFAR-10 file


def main() -> None:
    """Write OUT/folder, OUT/librispeech, OUT/cifar10 and OUT/images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", type=Path, help="folder `recordings` that `prepare mini` made")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    write_folder(arguments.recordings, arguments.out / "folder")
    write_librispeech(arguments.recordings, arguments.out / "librispeech" / "LibriSpeech" / "dev-clean")
    write_cifar10(arguments.out / "cifar10")
    write_images(arguments.out / "images")


def write_folder(recordings: Path, out: Path) -> None:
    """SPEAKER/UTT.flac and SPEAKER/UTT.txt."""
    for folder in _speakers(recordings):
        (out / folder.name).mkdir(parents=True, exist_ok=True)
        for path in _sentences(folder):
            shutil.copyfile(path, out / folder.name / path.name)
            shutil.copyfile(_text(recordings, path), out / folder.name / f"{path.stem}.txt")


def write_librispeech(recordings: Path, subset: Path) -> None:
    """SPEAKER/CHAPTER/SPEAKER-CHAPTER-NNNN.flac and the transcripts beside them."""
    for speaker, folder in enumerate(_speakers(recordings), start=101):
        chapter = subset / str(speaker) / str(CHAPTER)
        chapter.mkdir(parents=True, exist_ok=True)
        lines = []
        for number, path in enumerate(_sentences(folder)):
            name = f"{speaker}-{CHAPTER}-{number:04}"
            shutil.copyfile(path, chapter / f"{name}.flac")
            text = _text(recordings, path).read_text(encoding="utf-8")
            lines.append(f"{name} {text.strip().upper()}\n")
        (chapter / f"{speaker}-{CHAPTER}.trans.txt").write_text("".join(lines), encoding="utf-8")


def _speakers(recordings: Path) -> list[Path]:
    return sorted((recordings / "audio").iterdir())[-SPEAKERS:]


def _sentences(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.flac"))[:SENTENCES]


def _text(recordings: Path, path: Path) -> Path:
    [text] = (recordings / "txt").rglob(f"{path.stem}.txt")
    return text


def write_cifar10(folder: Path) -> None:
    """The files of the binary version: a label and 3,072 pixels a record."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        labels = np.arange(RECORDS, dtype=np.uint8)[:, None] % 10
        pixels = rng.integers(0, 256, (RECORDS, 3072), dtype=np.uint8)
        (folder / name).write_bytes(np.concatenate([labels, pixels], axis=1).tobytes())


def write_images(folder: Path) -> None:
    """CLASS/NUMBER.png, noise in two shades."""
    rng = np.random.default_rng(0)
    for shade, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(IMAGES):
            pixels = rng.integers(100 * shade, 100 * shade + 100, (SIZE, SIZE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


if __name__ == "__main__":
    main()
