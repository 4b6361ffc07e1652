"""Preparing images: CIFAR-10 files and folders of image files, and the refusal of damaged ones."""

import itertools
import json
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.image_data import cifar10_file, pixels_of, prepared
from helpers.tiny import ROOT
from speechvq import prepare
from speechvq.errors import UserError
from speechvq.images import cifar10
from speechvq.images.dataset import read_images
from speechvq.images.folder import LoadReport, find_images, load_image
from speechvq.images.preparation import prepare_cifar10, read_meta
from speechvq.io.download import RemoteFile

SLICE = ROOT.parent / "shared/data/cifar10"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("inside", ["", "cifar-10-batches-bin"])
def test_cifar10_is_read_gzipped_or_not_from_its_folder_or_the_parent(
    packed: bool, inside: str, tmp_path: Path
) -> None:
    end = ".gz" if packed else ""
    for name, records in {"data_batch_1.bin": 5, "data_batch_3.bin": 4, "test_batch.bin": 2}.items():
        cifar10_file(tmp_path / "c" / inside / f"{name}{end}", records, packed=packed)
    assert prepare_cifar10(tmp_path / "c", tmp_path / "out").splits == {"train": 9, "test": 2}
    images = read_images(tmp_path / "out", "train")
    pixels, labels = cifar10.read_file(tmp_path / "c" / inside / f"data_batch_3.bin{end}")
    assert np.array_equal(images.pixels[5:], pixels) and images.labels.tolist() == [3] * 9 == [
        *labels,
        *[3] * 5,
    ]
    assert images.classes[3] == "cat"


def test_the_order_of_bytes_is_as_published(tmp_path: Path) -> None:
    """Red, green and blue planes, row by row."""
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(bytes([7, *[1] * 1024, *[2] * 1024, *[3] * 1023, 9]))
    pixels, labels = cifar10.read_file(path)
    assert labels.tolist() == [7] and pixels[0, :, 0, 0].tolist() == [1, 2, 3] and pixels[0, 2, 31, 31] == 9


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("records", "cut", "label", "line"),
    [
        (2, 1, 3, "6145 bytes, not whole records of 3073; truncated"),
        (1, 3073, 3, "0 bytes, not whole records"),
        (10_001, 0, 3, "more than 10000 records"),
        (2, 0, 10, "label 10 is not 0 to 9"),
    ],
)
def test_a_wrong_file_is_refused_by_name(
    packed: bool, records: int, cut: int, label: int, line: str, tmp_path: Path
) -> None:
    if packed and records > 100:
        pytest.skip("seconds of packing")
    path = cifar10_file(
        tmp_path / f"test_batch.bin{'.gz' if packed else ''}", records, cut=cut, label=label, packed=packed
    )
    with pytest.raises(UserError, match=line) as caught:
        cifar10.read_file(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("content", [b"", b"no gzip at all", None])
def test_a_damaged_gzip_is_refused_by_name(content: bytes | None, tmp_path: Path) -> None:
    path = cifar10_file(tmp_path / "test_batch.bin.gz", 3, packed=True)
    path.write_bytes(path.read_bytes()[:2000] if content is None else content)
    with pytest.raises(UserError, match="test_batch.bin.gz: "):
        cifar10.read_file(path)


def test_missing_files_are_one_line_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare.main(["cifar10", "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "no data_batch_1.bin or data_batch_1.bin.gz; give the folder cifar-10-batches-bin" in error
    assert error.count("\n") == 1 and not (tmp_path / "out" / "meta.json").exists()


def test_the_binary_version_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "made/cifar-10-batches-bin"
    for name in ("data_batch_1.bin", "test_batch.bin"):
        cifar10_file(folder / name, 2)
    with tarfile.open(tmp_path / "archive.tar.gz", "w:gz") as archive:
        archive.add(folder, "cifar-10-batches-bin")
    asked: list[RemoteFile] = []

    def fetch(source: RemoteFile, root: Path) -> Path:
        asked.append(source)
        return tmp_path / "archive.tar.gz"

    monkeypatch.setattr(cifar10, "fetch", fetch)
    arguments = ["cifar10", "--root", str(tmp_path / "c"), "--out", str(tmp_path / "out"), "--download"]
    assert prepare.main(arguments) == 0 and read_meta(tmp_path / "out").splits == {"train": 2, "test": 2}
    assert prepare.main(arguments) == 0 and asked == [cifar10.ARCHIVE]
    assert cifar10.ARCHIVE.sha256 and cifar10.ARCHIVE.url.startswith("https://")


@pytest.mark.skipif(not SLICE.exists(), reason="the slice of real images is not beside this checkout")
def test_the_real_slice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare.main(["cifar10", "--root", str(SLICE), "--out", str(tmp_path)]) == 0
    assert "train 2000, test 500; 10 classes" in capsys.readouterr().out
    assert np.bincount(read_images(tmp_path, "train").labels).min() > 150  # all classes, about 200 each


def save(path: Path, mode: str, size: tuple[int, int] = (20, 16), **options: object) -> Path:
    """Save an image of a mode, red on the left and blue on the right if it has colors."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.convert(mode).save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("mode", "ending", "kind"),
    [
        ("RGB", "png", ""),
        ("RGB", "JPG", ""),
        ("L", "png", "grayscale"),
        ("LA", "png", "grayscale"),
        ("1", "png", "grayscale"),
        ("RGBA", "png", "alpha"),
        ("P", "png", "palette"),
        ("CMYK", "jpg", "CMYK"),
    ],
)
def test_every_mode_becomes_rgb_and_is_counted(mode: str, ending: str, kind: str, tmp_path: Path) -> None:
    report = LoadReport()
    pixels = load_image(save(tmp_path / f"a.{ending}", mode), 16, report)
    assert pixels.shape == (3, 16, 16) and pixels.dtype == np.uint8
    assert report.converted == ({kind: 1} if kind else {}) and not report.skipped
    if kind != "grayscale":
        left, right = pixels[:, 8, 1].tolist(), pixels[:, 8, -2].tolist()
        assert left[0] > 180 > 90 > left[2] and right[2] > 180 > 90 > right[0]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def write_text(path: Path) -> None:
    path.write_text("not an image")


@pytest.mark.parametrize(
    ("damage", "reason"), [(truncate, "damaged"), (empty, "empty"), (write_text, "damaged")]
)
def test_a_damaged_image_is_named_and_counted(damage: object, reason: str, tmp_path: Path) -> None:
    path, report = save(tmp_path / "a.png", "RGB"), LoadReport()
    damage(path)  # type: ignore[operator]
    with pytest.raises(UserError, match=f"a.png: {reason}"):
        load_image(path, 16, report)
    assert sum(report.skipped.values()) == 1


def test_a_truncated_jpeg_is_named_and_counted(tmp_path: Path) -> None:
    """Its header is intact, so the damage is found only while decoding."""
    path, report = save(tmp_path / "a.jpg", "RGB", (200, 160), quality=95), LoadReport()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"a.jpg: damaged \(OSError\); skipped"):
        load_image(path, 16, report)
    assert report.skipped == {"damaged (OSError)": 1} and not report.converted


@pytest.mark.parametrize(
    ("size", "fits"), [((15, 40), False), ((40, 15), False), ((16, 16), True), ((90, 31), True)]
)
def test_small_images_are_skipped_and_large_ones_scaled(
    size: tuple[int, int], fits: bool, tmp_path: Path
) -> None:
    path, report = save(tmp_path / "a.png", "RGB", size), LoadReport()
    if fits:
        assert load_image(path, 16, report).shape == (3, 16, 16)
    else:
        with pytest.raises(UserError, match="smaller than 16x16"):
            load_image(path, 16, report)
        assert report.skipped == {"smaller than 16x16": 1}


def test_decompression_bombs_and_unknown_modes_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("F", (20, 20)).save(tmp_path / "float.tiff")
    report = LoadReport()
    with pytest.raises(UserError, match="float.tiff: mode F"):
        load_image(tmp_path / "float.tiff", 16, report)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    with pytest.raises(UserError, match="too many pixels"):
        load_image(save(tmp_path / "a.png", "RGB"), 16, report)
    assert report.skipped == {"mode F": 1, "too many pixels": 1}


def png_of_16_bits(path: Path, pixels: np.ndarray) -> Path:
    """Write an RGB PNG of 16 bits, (H, W, 3) uint16, which Pillow reads but does not write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.mark.parametrize("kind", ["gray.png", "gray.tiff", "gray.pgm", "color.png"])
def test_of_sixteen_bits_the_upper_eight_are_kept(kind: str, tmp_path: Path) -> None:
    values, report = np.linspace(0, 65_535, 16 * 16).astype(np.uint16).reshape(16, 16), LoadReport()
    if kind == "color.png":
        png_of_16_bits(tmp_path / kind, np.stack([values] * 3, -1))
    elif kind == "gray.pgm":
        (tmp_path / kind).write_bytes(b"P5 16 16 65535\n" + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(tmp_path / kind)
    pixels = load_image(tmp_path / kind, 16, report)
    assert report.converted == {"16 bits": 1} and np.array_equal(pixels[1], values >> 8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_camera_is_applied(orientation: int, tmp_path: Path) -> None:
    """A photograph that was stored turned or mirrored looks as the upright one."""
    upright, report = pixels_of(1, 16)[0].numpy().transpose(1, 2, 0), LoadReport()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(load_image(tmp_path / "a.png", 16, report), upright.transpose(2, 0, 1))
    assert report.converted == ({"EXIF orientation": 1} if orientation > 1 else {})


def test_a_damaged_or_unknown_orientation_is_ignored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    path = save(tmp_path / "a.jpg", "RGB", exif=exif)
    save(tmp_path / "b.jpg", "RGB", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    for name in (path, tmp_path / "b.jpg"):
        report = LoadReport()
        assert load_image(name, 16, report).shape == (3, 16, 16) and not report.converted


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tiff"])
def test_the_first_frame_of_an_animation_is_kept(ending: str, tmp_path: Path) -> None:
    frames, report = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")], LoadReport()
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:])
    pixels = load_image(tmp_path / f"a.{ending}", 16, report)
    assert report.converted["animation, first frame"] == 1 and pixels[0].min() > 200 > 60 > pixels[2].max()


def test_pictures_in_class_folders_are_cifar10(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Folders train and test are the splits; without them a hash of the path; the output says which."""
    for split, count in (("train", 3), ("test", 2)):
        for name in cifar10.CLASSES:
            for i in range(count):
                save(tmp_path / "c" / split / name / f"{i}.png", "RGB", (32, 32))
    arguments = ["cifar10", "--root", str(tmp_path / "c"), "--out", str(tmp_path / "out")]
    assert prepare.main(arguments) == 0
    printed = capsys.readouterr()
    assert "split: the folders train and test" in printed.out and "a part of CIFAR-10" in printed.err
    images = read_images(tmp_path / "out", "test")
    assert images.classes == list(cifar10.CLASSES) and sorted(images.labels) == sorted([*range(10)] * 2)
    arguments = ["cifar10", "--root", str(tmp_path / "c/train"), "--out", str(tmp_path / "other")]
    assert prepare.main(arguments) == 0
    assert "one image in 20 is in test, by a hash of its path" in capsys.readouterr().out


def test_the_first_pictures_of_a_split_are_of_all_classes(tmp_path: Path) -> None:
    """The curve of a training is over the first held-out pictures; sorted by path they were of one class."""
    for split in ("train", "test"):
        for name in ("cat", "dog", "ship"):
            for i in range(40):
                save(tmp_path / split / name / f"{i:02}.png", "RGB", (16, 16))
    found = find_images(tmp_path)
    assert {path.parent.name for path in found["test"][:20]} == {"cat", "dog", "ship"}
    assert sorted(found["test"]) == sorted((tmp_path / "test").rglob("*.png"))
    assert find_images(tmp_path) == found


def test_other_folders_are_not_cifar10(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cat", "zebra"):
        for i in range(40):
            save(tmp_path / "c" / name / f"{i}.png", "RGB", (32, 32))
    assert prepare.main(["cifar10", "--root", str(tmp_path / "c"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "zebra: not a class of CIFAR-10; expected folders airplane, " in error and error.count("\n") == 1


def test_an_image_of_the_right_size_is_unchanged(tmp_path: Path) -> None:
    pixels = pixels_of(1, 16)[0].numpy()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(tmp_path / "a.png")
    assert np.array_equal(load_image(tmp_path / "a.png", 16, LoadReport()), pixels)


def test_a_folder_of_mixed_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Splits and classes come from folders, damaged files are named, a second run changes nothing."""
    root, out = tmp_path / "images", tmp_path / "out"
    for split, name, i in itertools.product(("train", "val"), ("cat", "dog"), range(2)):
        save(root / split / name / f"{i}.png", "L" if i else "RGB")
    save(root / "train/cat/small.png", "RGB", (10, 10))
    write_text(root / "train/cat/a note.jpg")
    (root / "train/cat/notes.txt").write_text("not an image")
    save(root / "train/cat/.hidden.png", "RGB")
    arguments = ["images", "--root", str(root), "--out", str(out), "--size", "16"]
    assert prepare.main(arguments) == 0
    printed = capsys.readouterr()
    assert (
        "16x16 pixels: train 4, test 4; 2 classes" in printed.out
        and "converted: 4 (grayscale)" in printed.out
    )
    assert "skipped: 1 (smaller than 16x16)" in printed.out and "skipped: 1 (damaged" in printed.out
    assert "small.png: smaller than 16x16; skipped" in printed.err and "a note.jpg: damaged" in printed.err
    assert sorted(read_images(out, "train").labels) == [0, 0, 1, 1]
    assert prepare.main(arguments) == 0
    assert prepare.main([*arguments[:-1], "12"]) == 2
    assert "made from 'images" in capsys.readouterr().err


def test_without_split_folders_one_in_twenty_is_in_the_test_split(tmp_path: Path) -> None:
    for i in range(200):
        (tmp_path / f"{i}.png").write_bytes(b"")
    found = find_images(tmp_path)
    assert 3 <= len(found["test"]) <= 20 and len(found["train"]) + len(found["test"]) == 200
    assert find_images(tmp_path) == found


@pytest.mark.parametrize("make", [None, "train", "nothing usable"])
def test_a_folder_without_images(
    make: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "images"
    if make:
        for split in ("train", "val"):
            (root / split).mkdir(parents=True)
            if make != "train":
                write_text(root / split / "a.png")
    assert prepare.main(["images", "--root", str(root), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "no such folder" in error or "no images" in error or "no usable image" in error


@pytest.mark.parametrize("damage", ["meta", "sizes", "short", "missing", "pickle"])
def test_a_damaged_prepared_folder_is_refused(damage: str, tmp_path: Path) -> None:
    out = prepared(tmp_path / "out")
    meta = json.loads((out / "meta.json").read_text())
    match damage:
        case "meta":
            (out / "meta.json").write_text("{")
        case "sizes":
            (out / "meta.json").write_text(json.dumps(meta | {"size": 16}))
        case "short":
            (out / "train.npy").write_bytes((out / "train.npy").read_bytes()[:500])
        case "missing":
            (out / "train_labels.npy").unlink()
        case "pickle":
            np.save(out / "train.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(UserError, match=str(out)):
        read_images(out, "train")


def test_missing_splits_and_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no split 'dev'; there are train, test"):
        read_images(prepared(tmp_path), "dev")
    with pytest.raises(UserError, match="no prepared images here"):
        read_meta(tmp_path / "nowhere")
