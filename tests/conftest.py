"""What several tests need: one thread, a tiny model, a tiny corpus."""

from pathlib import Path

import pytest
import torch

from tiny import make_corpus

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a prepared corpus: three synthetic voices, five utterances each; read only."""
    return make_corpus(tmp_path_factory.mktemp("corpus"))
