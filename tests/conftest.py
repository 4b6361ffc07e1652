"""What several tests need: one thread, a tiny model, a tiny corpus."""

import signal
from pathlib import Path

import pytest
import torch

from tiny import make_corpus

torch.set_num_threads(1)
# A shell starts background jobs with Ctrl-C ignored, and children inherit that: tests of Ctrl-C need the usual handler.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a prepared corpus: three synthetic voices, five utterances each; read only."""
    return make_corpus(tmp_path_factory.mktemp("corpus"))
