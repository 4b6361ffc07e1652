"""The VQ-VAE without a modality: the weights of eq. 3, and the likelihood of codes."""

import pytest
import torch
from torch import Tensor, nn

from speechvq.quantizer import VectorQuantizer
from speechvq.vqvae import VQVAE


class Doubling(nn.Module):
    """A decoder with a Gaussian likelihood around twice the vectors plus the condition."""

    def nll(self, x: Tensor, vectors: Tensor, condition: Tensor) -> Tensor:
        return (x - 2 * vectors - condition).square().mean()


def model(codebook: str = "loss") -> VQVAE:
    torch.manual_seed(0)
    quantizer = VectorQuantizer(6, 3, codebook=codebook)  # type: ignore[arg-type]
    return VQVAE(nn.Linear(3, 3), quantizer, Doubling())


@pytest.mark.parametrize("mode", ["loss", "ema"])
def test_the_total_is_eq_3_divided_by_the_dimensions_of_x(mode: str) -> None:
    vqvae, x, condition = model(mode), torch.randn(4, 5, 3), torch.randn(4, 1, 1)
    vqvae.quantizer.initialized.fill_(True)
    vectors, codebook = vqvae.encoder(x).detach(), vqvae.quantizer.codebook.detach().clone()
    losses = vqvae(x, condition)
    codes = ((vectors[..., None, :] - codebook) ** 2).sum(-1).argmin(-1)
    distance = ((vectors - codebook[codes]) ** 2).sum(-1).mean()
    quantizer = (1.25 if mode == "loss" else 0.25) * distance
    nats = (x - 2 * codebook[codes] - condition).square().mean()
    assert torch.allclose(losses.nats, nats) and torch.allclose(losses.quantizer, quantizer)
    assert torch.allclose(losses.total, nats + quantizer / 15)
    assert losses.usage.tolist() == torch.bincount(codes.flatten(), minlength=6).tolist()
    assert losses.total.requires_grad and not losses.nats.requires_grad and not losses.quantizer.requires_grad


def test_nll_of_the_codes_of_x_is_that_of_the_forward_pass() -> None:
    vqvae, x, condition = model().eval(), torch.randn(4, 5, 3), torch.randn(4, 1, 1)
    codes = vqvae.encode(x)
    assert codes.shape == (4, 5)
    assert torch.allclose(vqvae.nll(x, codes, condition), vqvae(x, condition).nats)
    assert vqvae.nll(x, codes.roll(1, 0), condition) != vqvae.nll(x, codes, condition)
