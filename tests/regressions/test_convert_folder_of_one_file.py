"""With one file in a folder or manifest, `convert` took --out for a file name and refused it."""

from pathlib import Path

from helpers.audio_files import names, save_tiny_model, write_tone
from speechvq import convert


def test_the_output_of_a_folder_of_one_file_is_a_folder(corpus: Path, tmp_path: Path) -> None:
    write_tone(tmp_path / "in/a.wav", samples=100)
    model, out = save_tiny_model(tmp_path / "run"), tmp_path / "out"
    for src, more in ((tmp_path / "in", []), (corpus, ["--limit", "1"])):
        argv = ["--model", str(model), "--src", str(src), "--target-speaker", "bob", "--out", str(out), *more]
        assert convert.main(argv) == 0
    assert names(out) == {"bob/a.wav", "bob/ada_0.wav"}
