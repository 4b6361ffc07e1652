"""What several tests need: one thread, a tiny model, a tiny corpus."""

import signal
from pathlib import Path

import pytest
import torch

from helpers.tiny import make_corpus

torch.set_num_threads(1)
# A shell starts background jobs with Ctrl-C ignored, and children inherit that: tests of Ctrl-C need the
# usual handler.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a prepared corpus: three synthetic voices, five utterances each; read only."""
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of sentences by eSpeak NG: two voices, four each, in `audio`, `txt` and `lab`; read only."""
    from speechvq.data.corpora import mini

    folder = tmp_path_factory.mktemp("spoken")
    mini.build(folder, speakers=2, sentences=4, jobs=1)
    return folder / "recordings"
