"""A voice on disk: a speaker's vector that a frozen model understands, and the voice's pitch."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from speechvq.errors import UserError
from speechvq.io.tensors import read_tensors, write_tensors
from speechvq.speech.model import SpeechVQ

ENDING = ".safetensors"


class Voice(NamedTuple):
    """What a model has to know of a speaker."""

    embedding: Tensor  # (V,)
    f0: float  # Hz, mean; 0 where unknown


def save_voice(path: Path, voice: Voice, model: SpeechVQ) -> None:
    """Write a voice, and of which model it is.

    Raises:
        UserError: the disk is full or not writable.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    of_model = torch.tensor(list(bytes.fromhex(model.fingerprint())), dtype=torch.uint8)
    write_tensors(
        path, {"vector": voice.embedding.detach(), "pitch": torch.tensor(voice.f0), "model": of_model}
    )


def load_voice(path: Path, model: SpeechVQ) -> Voice:
    """Read a voice for a model.

    Raises:
        UserError: no voice, damaged, or enrolled with another model.
    """
    tensors, width = read_tensors(path), model.config.wavenet.speaker_dim
    vector, pitch, of_model = (tensors.get(name) for name in ("vector", "pitch", "model"))
    if vector is None or pitch is None or of_model is None or len(tensors) != 3:
        raise UserError(f"{path}: not a voice; give what `enroll` wrote")
    if bytes(of_model.flatten().tolist()).hex() != model.fingerprint() or vector.shape != (width,):
        raise UserError(f"{path}: this voice was enrolled with another model; enroll it again with this one")
    if not vector.isfinite().all() or pitch.numel() != 1 or not 0 <= float(pitch) < 10_000:
        raise UserError(f"{path}: damaged voice; enroll it again")
    return Voice(vector.float(), float(pitch))


def add_voice(model: SpeechVQ, name: str, voice: Voice) -> None:
    """Let a model speak with one more voice, or with another one under a name it has."""
    speakers = model.decoder.wavenet.conditioning.speaker_embedding
    if name not in model.speakers:
        model.speakers = (*model.speakers, name)
        row = speakers.weight.new_zeros(1, speakers.embedding_dim)
        speakers.weight = torch.nn.Parameter(torch.cat([speakers.weight.detach(), row]))
        speakers.num_embeddings += 1
        model.speaker_f0 = torch.cat([model.speaker_f0, model.speaker_f0.new_zeros(1)])
    number = model.speakers.index(name)
    with torch.no_grad():
        speakers.weight[number] = voice.embedding
        model.speaker_f0[number] = voice.f0


def add_voice_files(model: SpeechVQ, names: list[str]) -> None:
    """Add those of the names that are files of `enroll` to a model's voices, each under the name of its file.

    A name that the model does not have is also looked for as NAME.safetensors where the command was called.

    Raises:
        UserError: a file that is missing, or no voice of this model.
    """
    for name in names:
        path = Path(name if name.endswith(ENDING) else name + ENDING)
        if name.endswith(ENDING) or (name not in model.speakers and path.is_file()):
            add_voice(model, path.stem, load_voice(path, model))
