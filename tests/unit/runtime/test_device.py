"""Names of devices: one check for all commands, one line for a device that is not there."""

import importlib
import warnings
from collections.abc import Callable

import pytest
import torch

import speechvq
from speechvq.errors import UserError
from speechvq.runtime.device import find_device, is_device_name
from speechvq.runtime.logging import logger
from speechvq.training.task import distributed_device

COMMANDS = ("convert", "encode", "enroll", "generate", "imagine", "draw", "train")
COMMANDS += ("evaluate.likelihood", "evaluate.prior", "evaluate.rollout")
COMMANDS += ("evaluate.stages", "evaluate.baselines")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the number of GPUs that torch reports."""

    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


def test_auto_takes_the_first_gpu_else_the_processor(gpus: Callable[[int], None]) -> None:
    gpus(0)
    assert find_device() == torch.device("cpu")
    gpus(2)
    assert find_device("auto").type == "cuda" and find_device("cpu").type == "cpu"
    assert find_device("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("cuda", 0, "device 'cuda': no GPU that this PyTorch can use; take 'cpu' or 'auto'"),
        ("cuda:0", 0, "no GPU"),
        ("cuda:1", 1, "device 'cuda:1': the GPUs here are cuda:0 to cuda:0; take 'cpu' or 'auto'"),
        ("mps", 0, "device 'mps': this machine or this PyTorch has none"),
        *((name, 1, "unknown; take 'cpu', 'cuda', 'cuda:N', 'mps'") for name in ("xpu", "meta", "gpu", "")),
        *((name, 1, "unknown") for name in ("cuda:", "cuda:-1", "cuda:x", "cpu:0", "CUDA", "cuda:0\n")),
    ],
)
def test_another_device_is_one_line(name: str, count: int, message: str, gpus: Callable[[int], None]) -> None:
    gpus(count)
    with pytest.raises(UserError) as caught:
        find_device(name)
    assert message in str(caught.value) and str(caught.value).isprintable()


def test_a_gpu_that_cannot_be_used_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def is_available() -> bool:
        warnings.warn("CUDA initialization:\n the driver is too old", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    monkeypatch.setattr(logger, "propagate", True)
    assert find_device().type == "cpu"
    assert caplog.messages == [
        "warning: the GPU cannot be used (CUDA initialization: the driver is too old); "
        "computing on the processor"
    ]
    with pytest.raises(UserError, match="the driver is too old"):
        find_device("cuda")


def test_mps_without_float64_falls_back_to_the_processor_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(logger, "propagate", True)
    message = "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64"

    def ones(*_: object, device: str, **__: object) -> torch.Tensor:
        assert device == "mps"
        raise TypeError(f"{message}.\nPlease use float32 instead.")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "ones", ones)
        assert find_device("mps") == torch.device("cpu")
    assert caplog.messages == [
        f"warning: device 'mps' cannot be used ({message}.); computing on the processor"
    ]
    caplog.clear()
    assert find_device("mps") == torch.device("cpu")  # what this PyTorch says of a backend that it lacks
    assert len(caplog.messages) == 1 and caplog.messages[0].isprintable()
    with monkeypatch.context() as patch:
        patch.setattr(torch, "ones", lambda *_, **__: torch.zeros(1))
        assert find_device("mps") == torch.device("mps") and find_device() == torch.device("cpu")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["xpu", "meta", "gpu", "cuda:x"])
def test_every_command_refuses_an_unknown_device(
    command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert importlib.import_module(f"speechvq.{command}").main(["--device", name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"--device {name}: take 'cpu', 'cuda', 'cuda:N', 'mps' or 'auto'" in line
    assert is_device_name("cuda:1") and not is_device_name(name)


def test_python_refuses_them_too() -> None:
    with pytest.raises(UserError, match="device 'xpu': unknown"):
        speechvq.load(device="xpu")


def test_processes_of_torchrun_have_a_gpu_each(
    monkeypatch: pytest.MonkeyPatch, gpus: Callable[[int], None]
) -> None:
    gpus(2)
    with distributed_device("cuda:1") as device:  # one process: the device that was asked for
        assert device == torch.device("cuda:1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="every process of torchrun has its own GPU"):
        with distributed_device("cuda:1"):
            pass
