"""Both releases of VCTK, with their known gaps."""

from pathlib import Path

import pytest

from helpers.corpus_layouts import write_files
from speechvq.data.corpora import vctk
from speechvq.errors import UserError


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Release 0.80: p315 without transcripts, a file of p376 under a wrong name."""
    root = tmp_path / "VCTK-Corpus"
    write_files(root, "wav48/p225/p225_001.wav", "wav48/p225/p225_002.wav", "wav48/p315/p315_001.wav")
    write_files(root, "wav48/p376/p376_294.wav", "wav48/p376/p376_295.raw", "wav48/p225/._p225_001.wav")
    write_files(root, "txt/p225/p225_001.txt", "txt/p225/p225_002.txt", content="Please call\nStella.\n")
    write_files(root, "txt/p376/p376_294.txt", "txt/p376/p376_295.txt", "speaker-info.txt", "README")
    return root


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Release 0.92: p280 and p315 without second microphone, p315 without transcripts, p362 with a gap."""
    root = tmp_path / "VCTK-Corpus-0.92"
    sounds = "wav48_silence_trimmed"
    write_files(
        root, *(f"{sounds}/p225/p225_00{number}_mic{mic}.flac" for number in (1, 2) for mic in (1, 2))
    )
    write_files(root, f"{sounds}/p280/p280_001_mic1.flac", f"{sounds}/p315/p315_001_mic1.flac")
    write_files(root, f"{sounds}/s5/s5_001_mic1.flac", f"{sounds}/s5/s5_001_mic2.flac", f"{sounds}/log.txt")
    write_files(root, f"{sounds}/p362/p362_002_mic1.flac", f"{sounds}/p362/p362_002_mic2.flac")
    write_files(
        root, *(f"txt/{utt[:-4]}/{utt}.txt" for utt in ("p225_001", "p225_002", "p280_001", "s5_001"))
    )
    write_files(root, "txt/p362/p362_001.txt", "txt/p362/p362_002.txt")
    return root


@pytest.mark.parametrize("above", [False, True], ids=["the corpus", "the folder above"])
def test_release_080(old: Path, above: bool) -> None:
    found = vctk.recordings(old.parent if above else old)
    assert [recording.utt for recording in found.recordings] == [
        "p225_001",
        "p225_002",
        "p315_001",
        "p376_294",
    ]
    assert found.recordings[0].speaker == "p225" and found.recordings[0].text == "Please call Stella."
    assert found.recordings[0].audio == old / "wav48/p225/p225_001.wav"
    assert found.recordings[2].text is None and found.without_text() == 1
    assert found.skipped == {"name does not match the corpus": 1, "transcript without audio": 1}


@pytest.mark.parametrize(
    ("mic", "utterances", "missing"),
    [(1, ["p225_001", "p225_002", "p280_001", "p315_001", "p362_002", "s5_001"], 1),
     (2, ["p225_001", "p225_002", "p362_002", "s5_001"], 3)],
)  # fmt: skip
def test_release_092(new: Path, mic: int, utterances: list[str], missing: int) -> None:
    found = vctk.recordings(new, mic=mic)
    assert [recording.utt for recording in found.recordings] == utterances
    assert all(recording.audio.name.endswith(f"_mic{mic}.flac") for recording in found.recordings)
    assert found.skipped == {f"no audio of microphone {mic}": missing}


def test_092_unpacked_one_folder_too_deep(new: Path, tmp_path: Path) -> None:
    outer = tmp_path / "deep" / "VCTK-Corpus-0.92"
    outer.mkdir(parents=True)
    new.rename(outer / "VCTK-Corpus-0.92")
    assert len(vctk.recordings(tmp_path / "deep").recordings) == 6


def test_080_has_no_second_microphone(old: Path) -> None:
    with pytest.raises(UserError, match="single microphone"):
        vctk.recordings(old, mic=2)


def test_a_folder_without_vctk_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder; --root"):
        vctk.recordings(tmp_path / "nowhere")
    with pytest.raises(UserError, match="neither wav48 nor wav48_silence_trimmed"):
        vctk.recordings(tmp_path)
    (tmp_path / "wav48").mkdir()
    with pytest.raises(UserError, match="no audio of microphone"):
        vctk.recordings(tmp_path)
