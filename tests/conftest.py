"""Setup and fixtures of all tests: a single thread, the usual Ctrl-C handler and two small corpora."""

import signal
from pathlib import Path

import pytest
import torch

from helpers.tiny import make_corpus

torch.set_num_threads(1)
# A shell starts background jobs with SIGINT ignored, and child processes inherit that. Tests of Ctrl-C need
# the default handler.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a prepared corpus: three synthetic speakers with five utterances each. Read only."""
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def espeak_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of eSpeak NG recordings: two speakers, four sentences each, in `audio`, `txt` and `lab`. Read
    only.
    """
    from speechvq.data.corpora.mini.corpus import build

    folder = tmp_path_factory.mktemp("espeak")
    build(folder, speakers=2, sentences=4, jobs=1)
    return folder / "recordings"
