"""The benchmark: its baselines compute the same results, all parts run, and the metrics have the expected
names.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.image_data import CONFIGS, SIZES
from helpers.tiny import MODEL, ROOT, WAVENET, make_corpus, run_config
from speechvq.config import QuantizerConfig, WaveNetConfig
from speechvq.config.images import ImageVQConfig
from speechvq.config.pixelcnn import PixelCNNConfig
from speechvq.images.vqvae import ImageVQ
from speechvq.priors.grid.pixelcnn import Grid
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.sampler import sample
from speechvq.training.tasks import speech

sys.path.insert(0, str(ROOT / "recipes/benchmark"))
import abx
import growth
import hours
import images
import naive
import peers
import rates
import roofline
import sampling
import scaling
import table
import timing
import training
from typical import TypicalWaveNet

HOP, DIM = 8, 4


def wavenet(config: WaveNetConfig = WAVENET) -> WaveNet:
    """A WaveNet in which all parameters are random."""
    torch.manual_seed(0)
    made = WaveNet(config, DIM, num_speakers=3)
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made.eval()


@torch.no_grad()
def test_the_typical_wavenet_computes_the_same_logits() -> None:
    model = wavenet(dataclasses.replace(WAVENET, stacks=3))
    levels, vectors, speaker = (
        torch.randint(WAVENET.mulaw_bins, (2, 48)),
        torch.randn(2, 6, DIM),
        torch.tensor([0, 2]),
    )
    typical = TypicalWaveNet(model)(levels, vectors, speaker)
    assert torch.allclose(typical.transpose(1, 2), model(levels, vectors, speaker), atol=1e-4)


def test_the_typical_model_has_the_same_loss_and_the_encoder_the_same_gradient() -> None:
    ours, typical = (make(MODEL).train() for make in (training.our_model, training.typical_model))
    wave, speaker = 0.06 * torch.randn(2, 320), torch.tensor([0, 1])
    losses = [model(wave, speaker) for model in (ours, typical)]
    assert torch.allclose(losses[0].nats, losses[1].nats, atol=1e-5)
    for each in losses:
        each.total.backward()
    for mine, other in zip(ours.encoder.parameters(), typical.encoder.parameters()):
        assert torch.allclose(mine.grad, other.grad, atol=1e-4 * float(mine.grad.abs().max()) + 1e-8)


def test_sampling_without_a_cache_gives_the_same_samples() -> None:
    model, vectors, speaker = wavenet(), torch.randn(2, 9, DIM), torch.tensor([0, 1])
    uniforms = torch.rand(2, 9 * HOP, dtype=torch.float64)
    whole = sample(model, vectors, speaker, uniforms, engine="torch")
    assert model.receptive_field < 40, "some samples have a truncated receptive field"
    for num_known in (0, 7, 48):
        again = naive.sample_uncached(
            model, vectors, speaker, uniforms[:, num_known:], whole[:, :num_known], HOP
        )
        assert torch.equal(again, whole)


def test_workloads_alternate_and_the_first_round_is_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, order = [0.0], []

    def work(name: str, costs: list[float]) -> Any:
        def run() -> None:
            order.append(name)
            clock[0] += costs.pop(0)

        return run

    monkeypatch.setattr(timing.time, "process_time", lambda: clock[0])
    medians = timing.alternate({"a": work("a", [50, 1, 3, 2]), "b": work("b", [60, 9, 7, 8])}, repeats=3)
    assert medians == {"a": 2, "b": 8} and order == ["a", "b"] * 4


def test_the_roofline_counts_bytes_and_operations() -> None:
    reading = roofline.Reading(1 << 12, at_least=1 << 14)
    assert reading.bytes == 1 << 14 and reading() == reading.bytes / 4
    adding = roofline.MultiplyAdds(100)
    assert adding.operations == 2 * roofline.FLOATS_AT_ONCE * 100 and adding() > 0


TINY = WaveNetConfig(
    stacks=1,
    layers=3,
    residual_channels=8,
    skip_channels=8,
    hidden_channels=8,
    conditioning_channels=8,
    speaker_dim=8,
    mulaw_bins=16,
)
AMOUNTS = sampling.Amounts(naive=1, torch=64, kernel=256, torch_streams=2, kernel_streams=4)


@pytest.fixture(scope="module")
def parts() -> list[dict[str, Any]]:
    """All parts of the benchmark at the smallest size."""
    with pytest.MonkeyPatch.context() as monkey:
        for work, amount in (
            (roofline.Reading, 1 << 12),
            (roofline.MultiplyAdds, 1000),
            (roofline.Products, 16),
        ):
            monkey.setattr(work.__init__, "__defaults__", (amount,))
        sizes = [sampling.measure(size, TINY, AMOUNTS, repeats=1) for size in "SM"]
        steps = training.measure(dataclasses.replace(MODEL, quantizer=QuantizerConfig(8, 4)), 320, repeats=1)
        grown = scaling.measure(TINY, (0.02, 0.04), (1, 2), one=0.02)
    return [*sizes, steps, grown]


def test_every_metric_has_its_name(parts: list[dict[str, Any]], tmp_path: Path) -> None:
    for number, part in enumerate(parts):
        timing.write_part(tmp_path / f"parts/{number}.json", part)
    read = [json.loads(path.read_text()) for path in sorted((tmp_path / "parts").iterdir())]
    numbers = table.merge(
        [*read, {"ratios": {"vq_train_512": 9.0, "vq_train_8192": 3.0}}, {"kl_bf16_nats": 1e-6}]
    )
    measured = {key for key in table.BARS if key[:2] in ("S_", "M_") or key.startswith(("vq_", "train_"))}
    of_peers = {"S_fp32_vs_wavenet_vocoder", "S_bf16_vs_wavenet_vocoder"}
    assert numbers["ratios"].keys() == measured - of_peers - {"vq_train_512_kept_memory"}
    assert all(ratio > 0 for ratio in numbers["ratios"].values())
    assert numbers["max_logit_error_fp32"] < 1e-4
    for size in "SM":
        assert numbers["real_time_factor"][size].keys() == {"fp32", "bf16", "batched"}
    assert {"S_fp32", "S_bf16", "M_fp32", "M_bf16"} == numbers["share_of_bandwidth"].keys()
    assert {"S_batched", "M_batched", "train_fp32"} == numbers["share_of_peak"].keys()
    text = table.table(numbers | {"machine": table.machine()})
    assert "| 9.00 | 8 | 15 | vector-quantize-pytorch |" in text and "| 3.00 | 4 (missed) | 10 |" in text
    assert "| 1e-06 | 0.0001 | |" in text


def test_the_ratios_are_plotted(tmp_path: Path) -> None:
    ratios = {"S_fp32": 20.0, "S_batched": 2.5, "f0_vs_pyin": 25.0, "encode_x_real_time": 200.0}
    table.plot_ratios({"ratios": ratios, "peers": {"librosa": "0.11"}}, tmp_path / "ratios.png")
    assert (tmp_path / "ratios.png").stat().st_size > 5_000


def test_a_number_in_two_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="a is in two parts"):
        table.merge([{"r": {"a": 1}}, {"r": {"a": 2}}])


def test_the_quantizers_are_compared() -> None:
    pytest.importorskip("vector_quantize_pytorch", reason="pip install speechvq[benchmark]")
    import quantizer

    part = quantizer.measure("16", 16, 4, 32, repeats=1)
    assert part["ratios"]["vq_train_16"] > 0


def test_the_divergence_is_labeled_as_of_random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sampling.WAVENET_SIZES, "S", TINY)
    part = sampling.divergence(None, frames=3)
    assert 0 <= part["kl_bf16_nats"] < 1e-3 and part["kl_bf16_model"].startswith("random weights")


def test_bars_for_bfloat16_products_depend_on_a_flag_of_the_processor() -> None:
    numbers = {"ratios": {"train_bf16_vs_naive_fp32": 0.1, "startup_seconds": 0.5, "help_seconds": 0.4}}
    for present, expected in ((True, "3.5 (missed)"), (False, "3.5 (not on this processor)")):
        text = table.table(numbers | {"bf16_products_in_hardware": present})
        assert f"| 0.10 | {expected} | 11 |" in text
    assert table.program("f0_vs_pyin", {"peers": {"librosa": "0.11"}}) == "librosa 0.11"
    assert table.program("S_fp32", {}) == ""
    assert "| 0.50 | at most 1.5 | |" in text and "| 0.40 | at most 0.3 (missed) | |" in text


def test_growth_is_fitted_and_forecast(tmp_path: Path) -> None:
    rows = [{"size": size, "seconds": size**2 / 1e4, "mib": 3.0 * size} for size in (10, 100, 1_000)]
    grown = growth.fit("items", rows)
    assert grown["exponents"] == pytest.approx({"seconds": 2, "mib": 1})
    assert grown["forecast"] == pytest.approx({"seconds": 1e6, "mib": 3e5})
    growth.plot({"squares": grown}, tmp_path / "growth.png")
    text = table.table({"ratios": {}, "growth": {"squares": grown}})
    assert "growth, squares: 1,000 items take 100.00 s" in text


def test_peers_are_measured_or_named() -> None:
    assert peers.peers().keys() == peers.PEERS.keys()
    assert peers.clustering(600, repeats=1, codes=16)["ratios"]["kmeans_vs_sklearn"] > 0


def test_abx_is_measured_or_named() -> None:
    part = abx.measure(60, repeats=1)
    assert part["peers"]["fastabx"] and ("left out" in part["peers"]["fastabx"] or part["ratios"])
    items, frames = abx.random_items(20)
    assert items[-1].end == len(frames) and len({item.speaker for item in items}) == abx.SPEAKERS


def test_a_line_is_fitted_through_the_hours(tmp_path: Path) -> None:
    rows = [{"hours": each, "seconds": 2 + 36 * each} for each in (0.1, 1, 10)]
    assert hours.fit(rows) == pytest.approx({"x_real_time": 100, "start_seconds": 2, "error": 0}, abs=1e-9)
    hours.make_corpus(tmp_path, 12, 0.2)
    assert len(list(tmp_path.glob("s*/*.wav"))) == 12 and len(list(tmp_path.iterdir())) == hours.SPEAKERS


def test_the_steps_of_a_stage_are_measured(tmp_path: Path) -> None:
    task = speech.build_task(run_config(make_corpus(tmp_path)), torch.device("cpu"))
    found = rates.measure(task, len(task.stages) - 1, repeats=1)
    assert found["samples_per_second"] == pytest.approx(2 * 320 / found["update_s"])
    assert found["operations"] > 1e5 and found["loader_s"] > 0


def test_the_scaling_plot_is_written(parts: list[dict[str, Any]], tmp_path: Path) -> None:
    scaling.plot_scaling(parts[-1]["scaling"], tmp_path / "a/scaling.png")
    assert (tmp_path / "a/scaling.png").stat().st_size > 5_000


def test_images_are_measured() -> None:
    config = dataclasses.replace(
        CONFIGS["image_vqvae"], autoencoder=dataclasses.replace(SIZES, likelihood="softmax")
    )
    part = images.measure_steps(config, 2, compiled=False, repeats=1)
    assert part["images_per_second"].keys() == {"fp32", "bf16"} and 0 < part["share_of_peak"]["images_fp32"]
    part = images.measure_sampling(
        PixelCNNConfig(layers=1, channels=4, hidden_channels=4), Grid(3, 3, 2, 4), 2, repeats=1
    )
    rates = part["grids_per_second"]["pixelcnn"]
    assert part["ratios"]["pixelcnn"] == rates["cached"] / rates["naive"]


def test_the_operations_per_image_equal_the_count_by_layer() -> None:
    """Multiply-adds of each layer of the paper's autoencoder: weights times positions."""
    units, at16, at8 = 256, 16 * 16, 8 * 8
    block = at8 * units * units * (9 + 1)
    down = [at16 * 3 * 16 * units, at8 * 16 * units * units, 2 * block, at8 * units * 160]
    up = [at8 * 9 * 160 * units, 2 * block, at8 * 16 * units * units, at16 * 16 * units * 768]
    model = ImageVQ(ImageVQConfig())
    assert images.training_operations(model) == 2 * (3 * sum(down + up) - down[0])
