"""The CIFAR-10 recipe's training of fixed duration: its parts equal those of the package, and it runs."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest
import torch

from helpers.image_data import CONFIGS, pixels_of, prepared
from helpers.tiny import ROOT
from speechvq.config import QuantizerConfig
from speechvq.images.codebooks import Codebooks
from speechvq.images.vimco import ImageVimco

sys.path.insert(0, str(ROOT / "recipes/cifar10"))
import timed


def test_stacked_codebooks_equal_those_of_the_package() -> None:
    """Codes, outputs, loss, usage, gradient and the update by moving averages, without dead codes."""
    torch.manual_seed(0)
    config = QuantizerConfig(num_codes=6, dim=3, codebook="ema", ema_decay=0.9, dead_code_threshold=0.0)
    theirs, ours = Codebooks(config, 2).train(), timed.StackedCodebooks(config, 2).train()
    vectors = torch.randn(5, 4, 2, 3)
    theirs(vectors)  # the first call initializes
    with torch.no_grad():
        for g, quantizer in enumerate(theirs.quantizers):
            ours.codebook[g], ours.size[g] = quantizer.codebook, quantizer.ema_cluster_size
            ours.sums[g] = quantizer.ema_embed_sum
    given = torch.randn(5, 4, 2, 3).requires_grad_()
    outputs = [codebooks(given) for codebooks in (theirs, ours)]
    for a, b in zip(*outputs):
        assert torch.allclose(a.float(), b.float(), atol=1e-5)
    gradients = [torch.autograd.grad(out.vectors.sum() + out.loss, given)[0] for out in outputs]
    assert torch.allclose(*gradients, atol=1e-6)
    for g, quantizer in enumerate(theirs.quantizers):
        assert torch.allclose(ours.codebook[g], quantizer.codebook, atol=1e-4)
        assert torch.allclose(ours.size[g], quantizer.ema_cluster_size, atol=1e-5)
    codes = outputs[0].codes
    assert torch.allclose(ours.lookup(codes), theirs.lookup(codes), atol=1e-4)


def test_the_vimco_of_constant_sizes_has_the_gradient_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many samples as are decoded with a gradient."""
    config = dataclasses.replace(CONFIGS["image_vimco"], samples=timed.GRADIENT_SAMPLES)
    torch.manual_seed(0)
    theirs, ours = ImageVimco(config), timed.StaticVimco(config)
    ours.load_state_dict(theirs.state_dict())
    pixels = pixels_of(3)
    with torch.no_grad():
        drawn = theirs._draw(theirs._log_posterior(pixels), config.samples)[0]

    def draw(log_posterior: torch.Tensor, _: int) -> tuple[torch.Tensor, torch.Tensor]:
        each = log_posterior.unsqueeze(1).expand(-1, config.samples, -1, -1, -1, -1)
        return drawn, each.gather(-1, drawn[..., None]).flatten(2).sum(2)

    for model in (theirs, ours):
        monkeypatch.setattr(model, "_draw", draw)
    losses, named = theirs(pixels), ours.losses(pixels)
    assert torch.allclose(losses.nats, named["nats"], atol=1e-5)
    gradients = [
        torch.autograd.grad(total, list(model.parameters()))
        for total, model in ((losses.total, theirs), (named["total"], ours))
    ]
    for expected, found in zip(*gradients):
        assert torch.allclose(expected, found, atol=1e-6)


def test_all_models_are_trained_and_measured_without_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = prepared(tmp_path / "data", train=40, test=6), tmp_path / "out"
    for name, value in (
        ("LOG_EVERY", 2),
        ("PRIOR_HELD_OUT", 8),
        ("SIZES", dict.fromkeys(timed.SIZES, (8, 1e-3))),
    ):
        monkeypatch.setattr(timed, name, value)
    sizes = ["autoencoder.size=8", "autoencoder.blocks=1", "autoencoder.channels=6"]
    words = [
        "timed.py",
        "--data",
        data,
        "--out",
        out,
        "--device",
        "cpu",
        "--seconds",
        "vqvae=0.2,prior=0.2,vae=0.2",
    ]
    for setting in sizes:
        words += ["--set", f"model.{setting}"]
    for setting in ("layers=2", "channels=8", "hidden_channels=8"):
        words += ["--prior-set", f"model.{setting}"]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    assert timed.main() == 0
    for name in ("vqvae", "vae"):
        bits = json.loads((out / f"{name}.json").read_text())["bits_per_dim"]
        assert 0 < bits < 20
        assert (out / name / "model/model.safetensors").is_file() and (out / name / "metrics.jsonl").is_file()
    assert json.loads((out / "vqvae.json").read_text())["prior"] == str(out / "prior")
