"""`python -m speechvq.train`: learn a model from a prepared corpus, or go on where a run stopped."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from speechvq import config as configuration
from speechvq import distributed
from speechvq.audio.dataset import CropDataset, crop_loader, middle_crops
from speechvq.audio.manifest import Utterance, read_manifest
from speechvq.audio.pitch import contour
from speechvq.audio.waveform import read_waveform
from speechvq.command import run
from speechvq.config import RunConfig
from speechvq.errors import UserError
from speechvq.speech.contour import mean_pitch
from speechvq.speech.model import SpeechVQ
from speechvq.speech.model_directory import save_model
from speechvq.training.heldout import measure_heldout
from speechvq.training.log import say
from speechvq.training.loop import Interrupted, averaged, fit
from speechvq.training.memory import keep_freed_memory

CONFIG = "config.yaml"
PITCH_UTTERANCES = 5  # that a voice's mean pitch is taken from


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.train", description=__doc__)
    parser.add_argument(
        "--config", type=Path, required=True, help="YAML file, for example recipes/vctk/vctk64.yaml"
    )
    parser.add_argument("--out", type=Path, required=True, help="run directory, for example exp/vctk64")
    parser.add_argument(
        "--set", action="append", default=[], metavar="A.B=C", help="lay a setting over the file"
    )
    parser.add_argument("--device", default="", help="cpu or cuda; the default is a GPU where there is one")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after the last step; 2 for a user's mistake; 128 + signal when stopped, then saved."""
    try:
        return run(build_parser(), _work, argv)
    except Interrupted as stop:
        say(str(stop))
        return 128 + stop.signum
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _work(arguments: argparse.Namespace) -> None:
    keep_freed_memory()
    config = configuration.load(arguments.config, RunConfig, arguments.set)
    device = _device(arguments.device)
    utterances = read_manifest(config.data.manifest)
    _check(config)
    if distributed.rank() == 0:
        _claim(arguments.out, config)
    torch.manual_seed(config.train.seed)
    speakers = sorted({u.speaker for u in utterances if u.split == "train"})
    model = SpeechVQ(config.model, speakers).to(device)
    crop, pitch = config.data.crop, config.model.wavenet.pitch
    dataset = CropDataset(_of(utterances, "train"), speakers, crop, config.train.seed, pitch)
    heldout = middle_crops(_of(utterances, "dev"), speakers, crop, config.train.evaluate_crops, pitch)
    if pitch:
        model.voice_pitch.copy_(torch.tensor(voice_pitches(_of(utterances, "train"), speakers)))
    state = fit(
        model,
        lambda step: crop_loader(
            dataset,
            config.data.batch,
            step=step,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
            workers=config.data.workers,
        ),
        lambda model: measure_heldout(model, heldout),
        arguments.out,
        config.train,
    )
    if distributed.rank() == 0:
        save_model(arguments.out / "model", averaged(state))
        say(f"the model is in {arguments.out / 'model'}")


def voice_pitches(utterances: Sequence[Utterance], speakers: Sequence[str]) -> list[float]:
    """Mean pitch of each voice, Hz, from a few of its utterances; 0 for one without voiced sound."""
    chosen = [[u for u in utterances if u.speaker == name][:PITCH_UTTERANCES] for name in speakers]
    return [mean_pitch(np.concatenate([contour(read_waveform(u.path)) for u in few])) for few in chosen]


def _of(utterances: Sequence[Utterance], split: str) -> list[Utterance]:
    return [u for u in utterances if u.split == split]


def _check(config: RunConfig) -> None:
    """Refuse settings that contradict one another."""
    if config.data.crop % config.model.hop:
        raise UserError(
            f"data.crop = {config.data.crop} is not a multiple of the hop, {config.model.hop} samples"
        )


def _device(name: str) -> torch.device:
    """The device asked for or the best there is; joins the other processes when started by torchrun."""
    local = int(os.environ.get("LOCAL_RANK", 0))
    cuda = name.startswith("cuda") or (not name and torch.cuda.is_available())
    if cuda and not torch.cuda.is_available():
        raise UserError(f"--device {name}: no GPU here; leave the flag out")
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
    try:
        return torch.device(f"cuda:{local}" if cuda else name or "cpu")
    except RuntimeError:
        raise UserError(f"--device {name}: expected cpu or cuda") from None


def _claim(out: Path, config: RunConfig) -> None:
    """Make the run directory, or check that it is of the same model and data; only `train` may change."""
    path = out / CONFIG
    if path.exists():
        before = configuration.load(path, RunConfig)
        for part in ("model", "data"):
            if getattr(before, part) != getattr(config, part):
                raise UserError(
                    f"{path}: this run has other '{part}' settings; choose another --out or the same settings"
                )
    try:
        out.mkdir(parents=True, exist_ok=True)
        configuration.save(path, config)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}); choose another --out") from None


if __name__ == "__main__":
    raise SystemExit(main())
