"""The commands that have engines, all on the same small inputs."""

import shutil
from collections.abc import Callable
from pathlib import Path

from helpers.audio_files import save_tiny_model, write_invalid_audio
from speechvq import encode
from speechvq.evaluate import codebook, purity
from speechvq.io.journal import FILE_NAME
from speechvq.prepare import main as prepare

Call = tuple[Callable[[list[str]], int], list[str]]


def write_inputs(place: Path, corpus: Path) -> None:
    """Write `model`, `in` with one unreadable file, `lab`, `speakers`, and the results in `local`."""
    save_tiny_model(place / "model")
    shutil.copytree(corpus / "audio", place / "in")
    write_invalid_audio(place / "in", "text.wav")
    for path in (corpus / "audio").iterdir():
        speaker = place / "speakers" / path.name.partition("_")[0]
        speaker.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, speaker)
        lab = place / "lab" / f"{path.stem}.lab"
        lab.parent.mkdir(exist_ok=True)
        lab.write_text("0 1000000 SIL\n1000000 2500000 AA1\n2500000 3000000 SIL\n")
    for calls in engine_commands(place, "local").values():
        for command, words in calls:
            assert command(words) == 0


def engine_commands(place: Path, results: str) -> dict[str, list[Call]]:
    """The calls of each command; results are written below `place / results`."""
    out = place / results
    model, src, labels = str(place / "model"), str(place / "in"), str(place / "lab")
    encoded = ["--model", model, "--src", src, "--out", str(out / "codes")]
    codes = ["--codes", str(place / "local/codes")]
    speakers = ["folder", "--root", str(place / "speakers"), "--out", str(out / "data")]
    return {
        "encode": [(encode.main, [*encoded, "--limit", "5"]), (encode.main, encoded)],
        "codebook": [(codebook.main, [*codes, "--json", str(out / "codebook.json")])],
        "purity": [(purity.main, [*codes, "--alignments", labels, "--json", str(out / "purity.json")])],
        "prepare": [(prepare, speakers)],
    }


def contents(place: Path) -> dict[str, bytes]:
    """The files below a folder, without journals, which have dates."""
    files = (path for path in place.rglob("*") if path.is_file() and path.name != FILE_NAME)
    return {str(path.relative_to(place)): path.read_bytes() for path in files}
