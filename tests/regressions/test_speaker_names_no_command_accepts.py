"""A model was trained to its end with a speaker named "vctk/m01" or "", and then no command accepted it."""

from pathlib import Path

import pytest

from speechvq.data.manifest import read_manifest
from speechvq.errors import UserError


@pytest.mark.parametrize("speaker", ["vctk/m01", "", " ", "..", "a\\b"])
def test_the_manifest_is_refused(speaker: str, tmp_path: Path) -> None:
    rows = ["utt\tspeaker\tsplit\tseconds\tpath", "a\tann\ttrain\t1\ta.wav", f"b\t{speaker}\ttrain\t1\tb.wav"]
    (tmp_path / "manifest.tsv").write_text("\n".join(rows))
    with pytest.raises(UserError, match="manifest.tsv: line 3: .* cannot name a speaker"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("speaker", ["José", "Smith, John", "p 225", "a.b"])
def test_other_names_are_accepted(speaker: str, tmp_path: Path) -> None:
    rows = ["utt\tspeaker\tsplit\tseconds\tpath", f"b\t{speaker}\ttrain\t1\tb.wav"]
    (tmp_path / "manifest.tsv").write_text("\n".join(rows), encoding="utf-8")
    assert read_manifest(tmp_path)[0].speaker == speaker
