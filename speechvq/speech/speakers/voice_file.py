"""Voice files: the embedding and mean F0 of an enrolled speaker, for one model."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from speechvq.errors import UserError
from speechvq.io.tensors import read_tensors, write_tensors
from speechvq.speech.model import SpeechVQ

ENDING = ".safetensors"
EMBEDDING, F0, CODEBOOK = "embedding", "f0", "codebook"  # tensors of the file; the last is a fingerprint
MAX_F0 = 10_000.0  # Hz; a larger number means a damaged file


class Voice(NamedTuple):
    """What a model needs to know of a speaker."""

    embedding: Tensor  # (E,)
    f0: float  # mean, Hz; 0 where unknown


def save_voice(path: Path, voice: Voice, model: SpeechVQ) -> None:
    """Write a voice file with the fingerprint of its model.

    Raises:
        UserError: the disk is full or not writable.
    """
    fingerprint = torch.tensor(list(bytes.fromhex(model.fingerprint())), dtype=torch.uint8)
    write_tensors(
        path, {EMBEDDING: voice.embedding.detach(), F0: torch.tensor(voice.f0), CODEBOOK: fingerprint}
    )


def load_voice(path: Path, model: SpeechVQ) -> Voice:
    """Read a voice file of a model.

    Raises:
        UserError: not a voice file, a damaged one, or one of another model.
    """
    tensors, width = read_tensors(path), model.config.wavenet.speaker_dim
    embedding, f0, codebook = (tensors.get(name) for name in (EMBEDDING, F0, CODEBOOK))
    if embedding is None or f0 is None or codebook is None or len(tensors) != 3:
        raise UserError(f"{path}: not a voice file; give what `enroll` wrote")
    if bytes(codebook.flatten().tolist()).hex() != model.fingerprint() or embedding.shape != (width,):
        raise UserError(f"{path}: this voice was enrolled with another model; enroll it again with this one")
    if not embedding.isfinite().all() or f0.numel() != 1 or not 0 <= float(f0) < MAX_F0:
        raise UserError(f"{path}: damaged voice file; enroll the speaker again")
    return Voice(embedding.float(), float(f0))


def add_voice(model: SpeechVQ, name: str, voice: Voice) -> None:
    """Add a speaker to a model in memory, or replace the speaker of that name."""
    table = model.decoder.speaker_embedding
    if name not in model.speakers:
        model.speakers = (*model.speakers, name)
        row = table.weight.new_zeros(1, table.embedding_dim)
        table.weight = torch.nn.Parameter(torch.cat([table.weight.detach(), row]))
        table.num_embeddings += 1
        model.speaker_f0 = torch.cat([model.speaker_f0, model.speaker_f0.new_zeros(1)])
    index = model.speakers.index(name)
    with torch.no_grad():
        table.weight[index] = voice.embedding
        model.speaker_f0[index] = voice.f0


def add_voice_files(model: SpeechVQ, names: list[str]) -> None:
    """Add the speakers of voice files to a model, each under the name of its file.

    Args:
        model: the model.
        names: a name that ends in .safetensors is a voice file. A name that the model does not have is taken
            as NAME.safetensors in the current directory, if that exists; other names are ignored.

    Raises:
        UserError: a missing file, or no voice file of this model.
    """
    for name in names:
        path = Path(name if name.endswith(ENDING) else name + ENDING)
        if name.endswith(ENDING) or (name not in model.speakers and path.is_file()):
            add_voice(model, path.stem, load_voice(path, model))
