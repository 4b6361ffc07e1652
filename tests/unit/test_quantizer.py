"""The vector quantizer against brute force, finite differences and closed forms."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers import reference
from speechvq.config import QuantizerConfig
from speechvq.quantizer import VectorQuantizer, nearest_code, perplexity

MODES = ("loss", "ema")


def quantizer(codebook: str = "loss", num_codes: int = 5, dim: int = 3, **settings: float) -> VectorQuantizer:
    torch.manual_seed(0)
    return VectorQuantizer(num_codes, dim, codebook=codebook, **settings)  # type: ignore[arg-type]


def initialized_quantizer(codebook: str = "loss", **settings: Any) -> VectorQuantizer:
    """A quantizer that keeps its random codebook, so that tests can set one."""
    made = quantizer(codebook, **settings)
    made.initialized.fill_(True)
    return made


def state(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("chunk", [1, 7, 512])
@pytest.mark.parametrize("num_codes, dim", [(1, 1), (5, 3), (64, 2), (67, 16), (512, 8), (513, 64)])
def test_nearest_code_equals_brute_force(num_codes: int, dim: int, chunk: int) -> None:
    rng = np.random.default_rng(num_codes)
    vectors = rng.standard_normal((40, dim)).astype(np.float32)
    codebook = rng.standard_normal((num_codes, dim)).astype(np.float32)
    codes = nearest_code(torch.from_numpy(vectors), torch.from_numpy(codebook), chunk=chunk)
    assert np.array_equal(codes.numpy(), reference.nearest_code(vectors, codebook))


@pytest.mark.parametrize("seed", range(5))
def test_the_lower_index_wins_a_tie(seed: int) -> None:
    """Products of small integers are exact, so ties are exact; half of the codebook copies the other half."""
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (60, 2)).astype(np.float32)
    codebook = np.tile(rng.integers(-2, 3, (9, 2)), (2, 1)).astype(np.float32)
    codes = nearest_code(torch.from_numpy(vectors), torch.from_numpy(codebook), chunk=16)
    assert np.array_equal(codes.numpy(), reference.nearest_code(vectors, codebook))
    assert codes.max() < 9


@pytest.mark.parametrize("copies", [2, 7])
def test_the_lower_index_wins_a_tie_between_blocks(copies: int) -> None:
    rng = np.random.default_rng(copies)
    vectors = rng.integers(-3, 4, (60, 2)).astype(np.float32)
    codebook = np.tile(rng.integers(-3, 4, (64, 2)), (copies, 1)).astype(np.float32)
    codes = nearest_code(torch.from_numpy(vectors), torch.from_numpy(codebook), chunk=16)
    assert np.array_equal(codes.numpy(), reference.nearest_code(vectors, codebook))


def test_codes_of_nonfinite_vectors_are_in_range() -> None:
    vectors = torch.tensor([[float("nan")], [float("inf")], [float("-inf")]])
    for num_codes in (5, 64, 128):
        codes = nearest_code(vectors, torch.randn(num_codes, 1))
        assert 0 <= codes.min() and codes.max() < num_codes


def test_finite_vectors_whose_sum_overflows_update_the_codebook() -> None:
    module = initialized_quantizer("ema")
    module(torch.full((4, 3), 1e38))
    assert module.num_updates == 1


def test_all_leading_axes_are_free() -> None:
    codebook, vectors = torch.randn(6, 4), torch.randn(2, 3, 5, 4)
    codes = nearest_code(vectors, codebook)
    assert codes.shape == (2, 3, 5) and codes.dtype == torch.int64
    assert torch.equal(codes.flatten(), nearest_code(vectors.flatten(0, 2), codebook))
    assert nearest_code(vectors[0, 0, 0], codebook).shape == ()
    assert nearest_code(torch.empty(0, 4), codebook).shape == (0,)
    output = initialized_quantizer(dim=4)(vectors)
    assert output.vectors.shape == vectors.shape and output.codes.shape == (2, 3, 5)
    assert output.usage.sum() == 30


def test_wrong_width_and_half_precision_raise_an_error() -> None:
    with pytest.raises(ValueError, match="width 3.*4"):
        nearest_code(torch.randn(2, 3), torch.randn(5, 4))
    for vectors, codebook in [(torch.bfloat16, torch.float32), (torch.float32, torch.float64)]:
        with pytest.raises(ValueError, match="float32"):
            nearest_code(torch.randn(2, 4, dtype=vectors), torch.randn(5, 4, dtype=codebook))
    with pytest.raises(ValueError, match="width"):
        initialized_quantizer()(torch.randn(2, 4))


def test_vectors_are_codebook_entries_with_a_straight_through_gradient() -> None:
    vectors, weights = torch.randn(7, 3, requires_grad=True), torch.randn(7, 3)
    output = initialized_quantizer()(vectors)
    module = initialized_quantizer()
    assert torch.allclose(output.vectors, module.lookup(output.codes), atol=1e-6)
    (gradient,) = torch.autograd.grad((output.vectors * weights).sum(), vectors)
    assert torch.equal(gradient, weights)


def numeric_gradient(f: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-3) -> np.ndarray:
    gradient = np.zeros(x.size)
    for i in range(x.size):
        shift = np.zeros(x.size)
        shift[i] = step
        gradient[i] = (f(x + shift.reshape(x.shape)) - f(x - shift.reshape(x.shape))) / (2 * step)
    return gradient.reshape(x.shape)


def mean_squared_distance(vectors: np.ndarray, entries: np.ndarray) -> float:
    return float(np.mean([np.sum((v - e) ** 2) for v, e in zip(vectors, entries)]))


@pytest.mark.parametrize("commitment", [0.0, 0.25, 2.0])
def test_the_codebook_loss_trains_the_codebook_and_the_commitment_loss_the_encoder(commitment: float) -> None:
    """Second and third term of eq. 3 against finite differences of their definitions, with fixed codes."""
    module, vectors = (
        initialized_quantizer(commitment=commitment, dead_code_threshold=0),
        torch.randn(9, 3, requires_grad=True),
    )
    output = module(vectors)
    entries, x, codes = (
        module.codebook.detach().double().numpy(),
        vectors.detach().double().numpy(),
        output.codes,
    )
    assert isinstance(module.codebook, torch.nn.Parameter)
    to_vectors, to_codebook = torch.autograd.grad(output.loss, [vectors, module.codebook])
    by_hand = numeric_gradient(lambda v: commitment * mean_squared_distance(v, entries[codes]), x)
    assert np.allclose(to_vectors.numpy(), by_hand, atol=1e-5)
    by_hand = numeric_gradient(lambda e: mean_squared_distance(x, e[codes]), entries)
    assert np.allclose(to_codebook.numpy(), by_hand, atol=1e-5)
    expected = (1 + commitment) * mean_squared_distance(x, entries[codes])
    assert output.loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_reconstruction_loss_trains_decoder_and_encoder_but_not_the_codebook() -> None:
    """First term of eq. 3 with a small decoder: the encoder receives the gradient at the codebook entries."""
    module, decoder = initialized_quantizer(), torch.nn.Linear(3, 2).double()
    vectors = torch.randn(6, 3, requires_grad=True)
    output = module(vectors)
    torch.tanh(decoder(output.vectors.double())).square().sum().backward()
    weight, bias = (p.detach().numpy() for p in (decoder.weight, decoder.bias))
    entries = module.codebook.detach().double().numpy()[output.codes]
    by_decoder = numeric_gradient(lambda w: float(np.square(np.tanh(entries @ w.T + bias)).sum()), weight)
    by_entries = numeric_gradient(lambda e: float(np.square(np.tanh(e @ weight.T + bias)).sum()), entries)
    assert decoder.weight.grad is not None and vectors.grad is not None
    assert np.allclose(decoder.weight.grad.numpy(), by_decoder, atol=1e-4)
    assert np.allclose(vectors.grad.numpy(), by_entries, atol=1e-4)
    assert module.codebook.grad is None


def test_the_loss_of_an_ema_codebook_is_the_commitment_loss() -> None:
    module, vectors = (
        initialized_quantizer("ema", dead_code_threshold=0),
        torch.randn(8, 3, requires_grad=True),
    )
    before = module.codebook.double().numpy().copy()
    output = module(vectors)
    expected = 0.25 * mean_squared_distance(vectors.detach().double().numpy(), before[output.codes])
    assert output.loss.item() == pytest.approx(expected, rel=1e-5)
    assert not list(module.parameters())


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_moving_averages_equal_their_closed_form(decay: float) -> None:
    module = initialized_quantizer("ema", ema_decay=decay, dead_code_threshold=0)
    start = state(module)
    counts, sums = [], []
    for step in range(6):
        vectors = torch.randn(20, 3, generator=torch.Generator().manual_seed(step))
        codes = reference.nearest_code(vectors.numpy(), module.codebook.numpy())
        module(vectors)
        counts.append(np.bincount(codes, minlength=5))
        sums.append(np.stack([vectors.numpy()[codes == k].sum(0) for k in range(5)]))
    expected_counts = reference.moving_average(start["ema_cluster_size"].numpy(), counts, decay)
    expected_sums = reference.moving_average(start["ema_embed_sum"].numpy(), sums, decay)
    assert np.allclose(module.ema_cluster_size, expected_counts, rtol=1e-5)
    assert np.allclose(module.ema_embed_sum, expected_sums, atol=1e-5)
    assert np.allclose(module.codebook, expected_sums / expected_counts[:, None], atol=1e-5)
    assert module.num_updates == 6


def test_an_unused_code_keeps_its_entry_when_reinitialization_is_off() -> None:
    module = initialized_quantizer("ema", dead_code_threshold=0)
    module.codebook[2] = module.ema_embed_sum[2] = 100.0
    for _ in range(20):
        module(torch.randn(20, 3))
    assert torch.allclose(module.codebook[2], torch.full((3,), 100.0), rtol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_a_dead_code_is_reinitialized_and_stays_in_use(mode: str) -> None:
    module = initialized_quantizer(mode)
    torch.manual_seed(1)
    module.codebook.data[:] = torch.randn(5, 3)
    module.codebook.data[3] = 1e3
    module.ema_cluster_size[:] = 20.0
    module.ema_cluster_size[3], module.ema_embed_sum[:] = (
        0.0,
        module.codebook.detach() * module.ema_cluster_size[:, None],
    )
    vectors = torch.randn(100, 3)
    assert not (module(vectors).codes == 3).any()
    assert (vectors == module.codebook[3].detach()).all(-1).any(), "the new entry is one of the vectors"
    for step in range(30):
        assert module.codebook[3].detach().abs().max() < 10, f"step {step}: the old entry is back"
        assert module.ema_cluster_size[3] > 0.1 * module.ema_cluster_size.mean(), f"step {step}: dead again"
        usage = module(torch.randn(100, 3)).usage
        assert usage[3] > 0, f"step {step}: not used"


@pytest.mark.parametrize("mode", MODES)
def test_the_first_batch_initializes_the_codebook(mode: str) -> None:
    module, vectors = quantizer(mode), 50 + torch.randn(40, 3)
    expected = module(vectors)
    assert module.initialized
    assert (expected.usage > 0).any() and float(expected.loss.detach()) < 50
    if mode == "loss":
        assert all((vectors == entry).all(-1).any() for entry in module.codebook.detach())
    before = module.codebook.detach().clone()
    module(vectors + 1)
    assert (module.codebook - before).abs().max() < 5, "initialized only once"


@pytest.mark.parametrize("mode", MODES)
def test_evaluation_mode_changes_no_buffer_and_needs_no_initialization(mode: str) -> None:
    module = quantizer(mode).eval()
    before = state(module)
    module(torch.randn(40, 3))
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("first", [True, False])
def test_a_nonfinite_vector_changes_no_buffer(mode: str, bad: float, first: bool) -> None:
    module, vectors = quantizer(mode), torch.randn(40, 3)
    if not first:
        module(vectors)
    before, nonfinite = state(module), vectors.clone()
    nonfinite[7, 1] = bad
    module(nonfinite)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    module(vectors)
    assert module.initialized and all(tensor.isfinite().all() for tensor in module.state_dict().values())


@pytest.mark.parametrize("mode", MODES)
def test_the_quantizer_computes_in_float32_under_autocast(mode: str) -> None:
    one, other = quantizer(mode), quantizer(mode)
    vectors = torch.randn(300, 3)
    plain = one(vectors)
    with torch.autocast("cpu", torch.bfloat16):
        auto = other(vectors)
    assert auto.vectors.dtype == auto.loss.dtype == torch.float32
    assert torch.equal(plain.codes, auto.codes) and torch.equal(plain.vectors, auto.vectors)
    assert all(torch.equal(one.state_dict()[name], tensor) for name, tensor in other.state_dict().items())
    with torch.autocast("cpu", torch.bfloat16):
        assert other.eval()(vectors.bfloat16()).vectors.dtype == torch.float32


def test_equal_states_and_batches_give_equal_reinitializations() -> None:
    """Reinitialization has its own generator, seeded by the number of updates; the global one is not used."""
    one, other = quantizer(num_codes=50), quantizer(num_codes=50)
    for step in range(5):
        vectors = torch.randn(10, 3, generator=torch.Generator().manual_seed(step))
        torch.manual_seed(step)
        one(vectors)
        after = torch.rand(1)
        torch.manual_seed(step)
        assert torch.rand(1) == after
        torch.rand(17)
        other(vectors)
    assert all(torch.equal(one.state_dict()[name], tensor) for name, tensor in other.state_dict().items())


def test_perplexity_of_uniform_single_and_mixed_usage() -> None:
    assert float(perplexity(torch.full((512,), 3.0))) == pytest.approx(512)
    assert float(perplexity(torch.eye(8)[2])) == pytest.approx(1)
    usage = [5.0, 0.0, 1.0, 9.0]
    assert float(perplexity(torch.tensor(usage))) == pytest.approx(reference.perplexity(usage))


@pytest.mark.parametrize("codebook", ["loss", "ema"])
def test_k_means_initializes_the_codebook(codebook: Literal["loss", "ema"]) -> None:
    """Each of eight distant clusters gets one of eight codes, which a random initialization would not
    achieve.
    """
    torch.manual_seed(0)
    centers = 10 * torch.randn(8, 4)
    vectors = centers.repeat(50, 1) + 0.1 * torch.randn(400, 4)
    quantizer = VectorQuantizer(num_codes=8, dim=4, codebook=codebook)
    quantizer.init_codebook_kmeans(vectors.view(4, 100, 4))
    distance = torch.cdist(centers, quantizer.codebook.detach()).min(1).values
    assert distance.max() < 0.1 and quantizer.initialized
    assert torch.allclose(
        quantizer.ema_embed_sum, quantizer.codebook.detach() * quantizer.ema_cluster_size[:, None], atol=1e-4
    )
    before = quantizer.codebook.detach().clone()
    quantizer.init_codebook_kmeans(torch.randn(400, 4))
    assert torch.equal(quantizer.codebook.detach(), before), "initialized only once"


def test_k_means_ignores_nonfinite_vectors() -> None:
    quantizer = VectorQuantizer(num_codes=8, dim=4)
    quantizer.init_codebook_kmeans(torch.full((100, 4), float("nan")))
    assert not quantizer.initialized and quantizer.codebook.isfinite().all()


def test_settings_of_a_configuration_are_those_of_the_constructor() -> None:
    """The same random numbers and settings, whichever way the quantizer is built."""
    torch.manual_seed(0)
    configured = VectorQuantizer.from_config(QuantizerConfig(7, 4, "ema", 0.5, 0.9, 0.2))
    torch.manual_seed(0)
    plain = VectorQuantizer(7, 4, codebook="ema", commitment=0.5, ema_decay=0.9, dead_code_threshold=0.2)
    for step in range(3):
        vectors = torch.randn(30, 4, generator=torch.Generator().manual_seed(step))
        assert configured(vectors).loss == plain(vectors).loss
    assert all(torch.equal(plain.state_dict()[name], tensor) for name, tensor in state(configured).items())


def test_defaults_are_those_of_the_configuration() -> None:
    plain, configured = VectorQuantizer(), VectorQuantizer.from_config(QuantizerConfig())
    names = ("num_codes", "dim", "uses_ema", "commitment", "ema_decay", "dead_code_threshold")
    assert [getattr(plain, name) for name in names] == [getattr(configured, name) for name in names]


def test_wrong_settings_raise_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0 and 64"):
        VectorQuantizer(num_codes=0)
    with pytest.raises(ValueError, match="'loss' or 'ema', got 'EMA'"):
        VectorQuantizer(codebook="EMA")  # type: ignore[arg-type]


@pytest.mark.parametrize("codebook", ["loss", "ema"])
def test_the_quantizer_trains_as_a_layer_of_any_autoencoder(codebook: Literal["loss", "ema"]) -> None:
    """Data in eight clusters: four dimensions through eight codes of two dimensions and back."""
    torch.manual_seed(0)
    data = (3 * torch.randn(8, 4)).repeat(16, 1) + 0.1 * torch.randn(128, 4)
    encoder, decoder = torch.nn.Linear(4, 2), torch.nn.Linear(2, 4)
    quantizer = VectorQuantizer(num_codes=8, dim=2, codebook=codebook)
    model = torch.nn.ModuleList([encoder, quantizer, decoder])
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=0.02), []
    for _ in range(200):
        output = quantizer(encoder(data))
        losses.append(torch.nn.functional.mse_loss(decoder(output.vectors), data))
        optimizer.zero_grad()
        (losses[-1] + output.loss).backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0] and perplexity(output.usage) > 4
