"""Voice files: the embedding and mean F0 of an enrolled speaker, for one model."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from speechvq.errors import UserError
from speechvq.io.folders import files_in
from speechvq.io.names import existing, normalized
from speechvq.io.tensors import read_tensors, write_tensors
from speechvq.runtime.logging import logger
from speechvq.speech.model import SpeechVQ
from speechvq.speech.speakers.voice_name import ENDING, speaker_names, voice_path

MAX_BYTES = 1 << 20  # of a voice file; they have a few kilobytes, models megabytes
EMBEDDING, F0, CODEBOOK = "embedding", "f0", "codebook"  # tensors of the file; the last is a fingerprint
MAX_F0 = 10_000.0  # Hz; a larger number means a damaged file
MAX_EMBEDDING = 1e4  # likewise; embeddings are of the order of one


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
        UserError: a missing file, not a voice file, a damaged one, or one of another model.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file; `enroll --name {path.stem}` writes a voice file")
    tensors, width = read_tensors(path), model.config.wavenet.speaker_dim
    if tensors.keys() != {EMBEDDING, F0, CODEBOOK}:
        raise UserError(f"{path}: not a voice file; give what `enroll` wrote")
    kinds = {name: (tensor.dtype, tensor.dim()) for name, tensor in tensors.items()}
    if kinds != {EMBEDDING: (torch.float32, 1), F0: (torch.float32, 0), CODEBOOK: (torch.uint8, 1)}:
        raise UserError(f"{path}: damaged voice file, types or shapes are wrong; enroll the speaker again")
    embedding, f0 = tensors[EMBEDDING], float(tensors[F0])
    if bytes(tensors[CODEBOOK].tolist()).hex() != model.fingerprint() or len(embedding) != width:
        raise UserError(f"{path}: this voice was enrolled with another model; enroll it again with this one")
    if not (embedding.abs() <= MAX_EMBEDDING).all() or not 0 <= f0 < MAX_F0:  # false for NaN
        raise UserError(f"{path}: damaged voice file, numbers out of range; enroll the speaker again")
    return Voice(embedding, f0)


def add_voice(model: SpeechVQ, name: str, voice: Voice) -> None:
    """Add a speaker to a model in memory, or replace the speaker of that name."""
    name = normalized(name)
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


def add_voice_files(model: SpeechVQ, targets: Sequence[str]) -> None:
    """Add the speakers of voice files to a model, each under the name of its file.

    A voice file that is named with its ending takes the place of a speaker of that name. Without the ending,
    the model's own speaker is meant. Both are logged.

    Args:
        model: the model.
        targets: names of speakers and voice files, see `voice_name`.

    Raises:
        UserError: a missing file, no voice file of this model, or two voices of one name.
    """
    own = model.speakers
    for target, name in zip(dict.fromkeys(targets), speaker_names(targets)):
        if path := voice_path(target, own):
            add_voice(model, name, load_voice(path, model))
            if name in own:
                logger.info("%s: speaks in place of the model's own speaker '%s'", path, name)
        elif (same := existing(Path(target + ENDING))).is_file():
            logger.warning("'%s' is the model's own speaker; write %s for the enrolled voice", target, same)


def find_voices(folder: Path, model: SpeechVQ) -> dict[str, Voice]:
    """The model's voices in a folder by name as target: NAME, or NAME.safetensors beside a speaker NAME."""
    found = {}
    for path in files_in(folder, {ENDING}):
        try:
            if path.stat().st_size < MAX_BYTES:
                voice = load_voice(path, model)
                name = normalized(path.stem)
                found[normalized(path.name) if name in model.speakers else name] = voice
        except (UserError, OSError):
            continue  # another file
    return found
