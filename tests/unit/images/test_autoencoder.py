"""The image encoder and decoder compiled, in bfloat16 and in channels_last."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from helpers.image_data import CONFIGS, model_of, pixels_of, prepared, run_of
from helpers.synthetic_speech import make_speech_corpus
from helpers.tiny import run_config
from speechvq import config as configuration
from speechvq import train
from speechvq.config.images import AutoencoderConfig
from speechvq.images.autoencoder import Encoder, compile_parts
from speechvq.images.model_directory import load_image_model
from speechvq.training import loop
from speechvq.training.tasks.images import encoder_of

# What torch's own tracing warns of, on the way to a graph.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")


def step(model: nn.Module, precision: str = "fp32") -> tuple[Tensor, dict[str, Tensor]]:
    """Loss and gradients of one training step."""
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        losses = model.train()(pixels_of(4, seed=1))
    model.zero_grad()
    losses.total.backward()
    return losses.nats, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_a_compiled_step_equals_the_eager_step() -> None:
    """Traced as one graph by a backend that needs no compiler; also with other batch sizes."""
    plain = model_of("image_vqvae")
    compiled = copy.deepcopy(plain)
    torch._dynamo.reset()
    compile_parts(encoder_of(compiled), compiled.decoder, backend="eager")
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    for _ in range(2):
        (nats, gradients), (expected_nats, expected_gradients) = step(compiled), step(plain)
        torch.testing.assert_close(nats, expected_nats)
        assert gradients.keys() == expected_gradients.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, expected_gradients[name], atol=1e-6, rtol=1e-4, msg=name)
    with torch.no_grad():
        bound = compiled.eval().elbo(pixels_of(3))
        torch.testing.assert_close(bound.total, plain.eval().elbo(pixels_of(3)).total)


def test_vimco_decodes_any_batch_size_with_one_graph() -> None:
    """The number of decoded samples varies from step to step."""
    plain = model_of("image_vimco")
    compiled = copy.deepcopy(plain)
    torch._dynamo.reset()
    compile_parts(encoder_of(compiled), compiled.decoder, dynamic=True, backend="eager")
    for count in (3, 1, 5, 8):
        both = []
        for model in (compiled, plain):
            torch.manual_seed(count)
            both.append(model.train()(pixels_of(count, seed=count)).total)
        torch.testing.assert_close(*both)
    with torch.no_grad():
        assert compiled.eval().elbo(pixels_of(3)).total.isfinite().all()


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_bfloat16_step_is_close(kind: str) -> None:
    """Matrix products in bfloat16; likelihood, quantizer and loss in float32."""
    model = model_of(kind)
    seen: list[torch.dtype] = []
    hook = model.decoder.conv_in.register_forward_hook(
        lambda module, inputs, output: seen.append(output.dtype)
    )
    nats, gradients = step(copy.deepcopy(model))
    rough, others = step(model, "bf16")
    hook.remove()
    assert seen[-1] == torch.bfloat16 and rough.dtype == torch.float32
    assert abs(float(rough) / float(nats) - 1) < 0.05
    whole, near = (torch.cat([g.flatten() for g in each.values()]) for each in (gradients, others))
    if kind != "image_vimco":  # draws other codes
        assert torch.cosine_similarity(whole, near, dim=0) > 0.95


def test_activations_are_in_channels_last() -> None:
    model = model_of("image_vqvae")
    layouts: list[bool] = []
    for part in (*encoder_of(model).down, *model.decoder.up, model.decoder.conv_in):
        part.register_forward_hook(
            lambda module, inputs, output: layouts.append(
                output.is_contiguous(memory_format=torch.channels_last)
            )
        )
    model(pixels_of(4))
    assert len(layouts) == 5 and all(layouts)


def test_training_compiled_and_in_bfloat16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command; checkpoints are interchangeable with other runs."""
    made: list[str] = []

    def traced(encoder: nn.Module, decoder: nn.Module, *, dynamic: bool) -> None:
        made.append(type(encoder).__name__)
        compile_parts(encoder, decoder, dynamic=dynamic, backend="eager")  # type: ignore[arg-type]

    monkeypatch.setattr("speechvq.training.tasks.images.compile_parts", traced)
    monkeypatch.setattr(loop, "supports_bf16", lambda device: True)
    torch._dynamo.reset()
    config = run_of("image_vqvae", prepared(tmp_path / "pictures"), compile=True, precision="bf16")
    configuration.save(tmp_path / "a.yaml", config)
    arguments = ["--config", str(tmp_path / "a.yaml"), "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert train.main(arguments) == 0 and made == ["Encoder"]
    assert train.main([*arguments, "--set", "train.compile=false", "--set", "train.steps=8"]) == 0
    assert load_image_model(tmp_path / "run").config == config.model


def test_models_without_compilation_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configuration.save(tmp_path / "a.yaml", run_config(make_speech_corpus(tmp_path / "voices")))
    arguments = ["--config", str(tmp_path / "a.yaml"), "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert train.main([*arguments, "--set", "train.compile=true"]) == 2
    assert "train.compile=true is for image models only" in capsys.readouterr().err


def test_input_noise_is_added_in_training_only() -> None:
    """The noise has the configured standard deviation in training and is zero in evaluation."""
    config = AutoencoderConfig(size=8, num_downsamples=1, blocks=0, channels=4, input_noise=20.0)
    encoder = Encoder(config, (3,))
    seen: list[Tensor] = []
    encoder.down[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    pixels = pixels_of(64, seed=1)[:, :, :8, :8]
    with torch.no_grad():
        encoder.eval()(pixels)
        torch.manual_seed(0)
        encoder.train()(pixels)
    clean, noisy = ((x + 1) * 255 / 2 for x in seen)
    torch.testing.assert_close(clean, pixels.float(), atol=1e-3, rtol=0)
    added = noisy - clean
    assert abs(float(added.mean())) < 0.5 and 19.5 < float(added.std()) < 20.5
