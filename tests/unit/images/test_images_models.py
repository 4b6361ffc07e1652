"""The image models: shapes, bounds, and model directories."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from helpers.image_data import CONFIGS, SIZE, model_of, pixels_of
from speechvq.config import QuantizerConfig
from speechvq.config.images import AutoencoderConfig, ImageVAEConfig, ImageVQConfig
from speechvq.errors import UserError
from speechvq.images.autoencoder import Decoder, Encoder
from speechvq.images.codebooks import Codebooks
from speechvq.images.model_directory import ImageModel, build, load_image_model, save_image_model
from speechvq.images.vae import ImageVAE
from speechvq.images.vqvae import ImageVQ
from speechvq.io.tensors import read_tensors, write_tensors
from speechvq.io.yaml_files import read_yaml, write_yaml

DIMENSIONS = 3 * SIZE * SIZE
PIXELS = pixels_of(5, seed=3)


def convolutions(module: nn.Module) -> list[tuple[int, ...]]:
    """(in, out, kernel, stride) of a module's convolutions, in order."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return [
        (c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0])
        for c in module.modules()
        if isinstance(c, kinds)
    ]


def test_the_architecture_is_the_papers() -> None:
    """Two 4x4 convolutions of stride 2, two residual blocks of 3x3 and 1x1, 256 channels; mirrored."""
    config = AutoencoderConfig()
    encoder, decoder = Encoder(config, (10, 16)), Decoder(config, 160)
    blocks = [(256, 256, 3, 1), (256, 256, 1, 1)] * 2
    assert convolutions(encoder) == [(3, 256, 4, 2), (256, 256, 4, 2), *blocks, (256, 160, 1, 1)]
    assert convolutions(decoder) == [(160, 256, 3, 1), *blocks, (256, 256, 4, 2), (256, 768, 4, 2)]


@pytest.mark.parametrize(("size", "grid"), [(32, 8), (84, 21), (128, 32)])
@torch.no_grad()
def test_grids_of_the_papers_experiments(size: int, grid: int) -> None:
    config = AutoencoderConfig(size=size, blocks=1, channels=4, likelihood="logistic")
    vectors = Encoder(config, (1, 6))(torch.zeros(1, 3, size, size, dtype=torch.uint8))
    assert config.grid == grid and vectors.shape == (1, grid, grid, 1, 6)
    assert Decoder(config, 6).mean_image(vectors).shape == (1, 3, size, size)


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(UserError, match="autoencoder.size: expected a multiple of 4, got 30"):
        AutoencoderConfig(size=30)


@pytest.mark.parametrize("kind", CONFIGS)
@torch.no_grad()
def test_bounds_are_the_sum_of_their_terms(kind: str) -> None:
    bound = model_of(kind).elbo(PIXELS)
    assert [part.shape for part in bound] == [(5,)] * 3 and all(part.isfinite().all() for part in bound)
    if kind != "image_vimco":
        torch.testing.assert_close(bound.total, bound.reconstruction + bound.latents)


@pytest.mark.parametrize("kind", CONFIGS)
def test_losses_are_the_bound_per_dimension(kind: str) -> None:
    model = model_of(kind)
    torch.manual_seed(1)
    losses = model(PIXELS)
    torch.manual_seed(1)
    bound = model.elbo(PIXELS)
    expected = bound.reconstruction if kind == "image_vqvae" else bound.total
    assert float(losses.nats) == pytest.approx(float(expected.detach().mean()) / DIMENSIONS, rel=1e-4)
    losses.total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def zero_last_layer(model: ImageModel) -> None:
    """Make the 256 values of every sub-pixel equally likely."""
    for parameter in model.decoder.up[-1].parameters():
        parameter.zero_()


@torch.no_grad()
def test_a_uniform_vae_needs_eight_bits_exactly() -> None:
    model = ImageVAE(ImageVAEConfig(autoencoder=AutoencoderConfig(size=SIZE, channels=4)))
    zero_last_layer(model)
    for parameter in model.encoder.project.parameters():  # q(z | x) = p(z)
        parameter.zero_()
    assert (model.elbo(PIXELS).total / DIMENSIONS / math.log(2)).tolist() == pytest.approx(
        [8.0] * 5, abs=1e-5
    )


@torch.no_grad()
def test_a_uniform_vqvae_needs_eight_bits_and_its_codes() -> None:
    """Two codes of 4 values at each of 2x2 positions are 16 bits per image."""
    config = ImageVQConfig(
        autoencoder=AutoencoderConfig(size=SIZE, channels=4),
        codes_per_position=2,
        quantizer=QuantizerConfig(num_codes=4, dim=3),
    )
    model = ImageVQ(config).eval()
    zero_last_layer(model)
    bits = model.elbo(PIXELS).total / DIMENSIONS / math.log(2)
    assert bits.tolist() == pytest.approx([8.0 + 16 / DIMENSIONS] * 5, abs=1e-5)


@torch.no_grad()
def test_a_prior_replaces_the_uniform_prior() -> None:
    model = model_of("image_vqvae")

    def prior(codes: Tensor) -> Tensor:
        return codes.flatten(1).sum(1).float()

    bound = model.elbo(PIXELS, prior)
    torch.testing.assert_close(bound.latents, prior(model.encode(PIXELS)))
    torch.testing.assert_close(bound.total, bound.reconstruction + bound.latents)
    with pytest.raises(UserError, match="a VAE has no codes"):
        model_of("image_vae").elbo(PIXELS, prior)


@torch.no_grad()
def test_the_kl_divergence_of_the_vae_equals_a_monte_carlo_estimate() -> None:
    """KL(q | p) = E_q[log q - log p], over many samples."""
    model = model_of("image_vae")
    mean, log_variance = (part[:1].double() for part in model.posterior(PIXELS))
    deviation = (0.5 * log_variance).exp()
    draws = mean + deviation * torch.randn(40_000, *mean.shape[1:], dtype=torch.float64)
    q, p = torch.distributions.Normal(mean, deviation), torch.distributions.Normal(0.0, 1.0)
    expected = float((q.log_prob(draws) - p.log_prob(draws)).flatten(1).sum(1).mean())
    assert float(model.elbo(PIXELS[:1]).latents) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("kind", CONFIGS)
@torch.no_grad()
def test_reconstructions_are_images_and_do_not_depend_on_the_batch(kind: str) -> None:
    model = model_of(kind)
    reconstructions = model.reconstruct(PIXELS)
    assert reconstructions.shape == PIXELS.shape and reconstructions.dtype == torch.uint8
    assert (model.reconstruct(PIXELS[2:3]).int() - reconstructions[2:3].int()).abs().max() <= 1


@torch.no_grad()
def test_separate_codebooks_equal_separate_quantizers() -> None:
    torch.manual_seed(0)
    codebooks = Codebooks(QuantizerConfig(num_codes=5, dim=3), 2).eval()
    vectors = torch.randn(4, 2, 2, 2, 3)
    found = codebooks(vectors)
    for g, quantizer in enumerate(codebooks.quantizers):
        alone = quantizer(vectors[..., g, :])
        assert torch.equal(found.codes[..., g], alone.codes)
        torch.testing.assert_close(found.vectors[..., g, :], alone.vectors)
        assert torch.equal(found.usage[5 * g : 5 * g + 5], alone.usage)
    torch.testing.assert_close(codebooks.lookup(found.codes), found.vectors)
    with pytest.raises(ValueError):
        codebooks(vectors[..., :1, :])


@pytest.mark.parametrize("kind", CONFIGS)
@torch.no_grad()
def test_a_model_directory_restores_the_model(kind: str, tmp_path: Path) -> None:
    model = model_of(kind)
    save_image_model(tmp_path / "run" / "model", model)
    for folder in (tmp_path / "run", tmp_path / "run" / "model"):
        loaded = load_image_model(folder)
        assert loaded.config == model.config and not loaded.training
        assert torch.equal(loaded.reconstruct(PIXELS), model.reconstruct(PIXELS))
        assert all(not tensor.is_meta for tensor in [*loaded.parameters(), *loaded.buffers()])


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"kind": "speech"}, "kind: expected one of image_vae, image_vqvae, image_vimco, got 'speech'"),
        ({"kind": None}, "kind: expected one of"),
        ({"codes_per_position": 200}, "configuration and weights differ"),
        ({"cake": 1}, "unknown key 'cake'"),
        ({"autoencoder": {"channels": 4096, "size": 1024}}, "configuration"),
    ],
)
def test_wrong_configurations_are_refused(change: dict[str, object], line: str, tmp_path: Path) -> None:
    """Including one of gigabytes: no memory is taken before the file's tensors are compared."""
    save_image_model(tmp_path, model_of("image_vqvae"))
    write_yaml(tmp_path / "config.yaml", read_yaml(tmp_path / "config.yaml") | change)
    with pytest.raises(UserError, match=line) as caught:
        load_image_model(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_wrong_weights_are_refused(tmp_path: Path) -> None:
    save_image_model(tmp_path, model_of("image_vae"))
    tensors = read_tensors(tmp_path / "model.safetensors")
    write_tensors(
        tmp_path / "model.safetensors", tensors | {"decoder.conv_in.bias": torch.full((6,), math.nan)}
    )
    with pytest.raises(UserError, match="holds NaN or Inf"):
        load_image_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(UserError, match="not a safetensors file"):
        load_image_model(tmp_path)
    with pytest.raises(UserError, match="no model here .*; give the folder that `train --out` made"):
        load_image_model(tmp_path / "nowhere")


def test_every_kind_is_built() -> None:
    assert [type(build(config)).__name__ for config in CONFIGS.values()] == [
        "ImageVAE",
        "ImageVQ",
        "ImageVimco",
    ]
