"""The Python interface: equal codes for all input types, layouts of batches, one sentence per mistake."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import speechvq
from helpers.tiny import ROOT, f0_model, noise, speech_config, speech_model
from speechvq import encode as encode_command
from speechvq.audio.mel import LogMel
from speechvq.audio.waveform import resample
from speechvq.config import EncoderConfig
from speechvq.data.codes_directory import open_codes

HOP = 8


def wave(samples: int = 803, seed: int = 0) -> np.ndarray:
    return noise(1, samples, seed)[0].numpy()


INPUT_TYPES: dict[str, Callable[[Any, np.ndarray], np.ndarray]] = {
    "numpy": lambda model, x: model.encode(x),
    "torch": lambda model, x: model.encode(torch.from_numpy(x)),
    "torch with gradient": lambda model, x: model.encode(torch.from_numpy(x).requires_grad_()),
    "float64": lambda model, x: model.encode(x.astype(np.float64)),
    "strided": lambda model, x: model.encode(np.repeat(x, 2)[::2]),
    "(1, T)": lambda model, x: model.encode(x[None])[0],
    "(B, T)": lambda model, x: model.encode(np.stack([wave(len(x), 5), x]))[1],
    "(B, T) in torch": lambda model, x: model.encode(torch.from_numpy(np.stack([x, wave(len(x), 5)])))[0],
    "list": lambda model, x: model.encode([wave(99, 5), x])[1],
    "list of (1, T) in torch": lambda model, x: model.encode([torch.from_numpy(x[None])])[0],
    "quieter": lambda model, x: model.encode(x / 4),
}


@pytest.mark.parametrize("kind", INPUT_TYPES)
@pytest.mark.parametrize("samples", [1, 7, 803, 4_000])
def test_every_input_type_gives_the_same_codes(kind: str, samples: int) -> None:
    model, x = speech_model(), wave(samples)
    expected = model.encode(x)
    assert expected.shape == (-(-samples // HOP),) and expected.dtype == np.int64
    assert np.array_equal(INPUT_TYPES[kind](model, x), expected)


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_the_command_and_python_give_the_same_codes(rate: int, tmp_path: Path) -> None:
    """From a 16-bit file, int16 samples and float samples, at any sampling rate."""
    model, samples = speech_model(), (32_768 * wave(3_000)).round().astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="PCM_16")
    model.save_pretrained(tmp_path / "model")
    arguments = ["--src", str(tmp_path / "a.wav"), "--out", str(tmp_path / "codes")]
    assert encode_command.main([*arguments, "--model", str(tmp_path / "model")]) == 0
    expected = open_codes(tmp_path / "codes").read("a")
    assert np.array_equal(model.encode(samples, sample_rate=rate), expected)
    assert np.array_equal(model.encode(torch.from_numpy(samples) / 32_768, sample_rate=rate), expected)


def test_codes_are_the_nearest_entries_of_the_features() -> None:
    model, x = speech_model(), wave()
    features = model.features(x)
    assert features.shape == (101, 4) and features.dtype == np.float32
    distances = np.square(features[:, None] - model.quantizer.codebook.detach().numpy()).sum(-1)
    assert np.array_equal(distances.argmin(-1), model.encode(x))
    assert model.features(np.empty(0, np.float32)).shape == (0, 4)


@pytest.mark.parametrize("method", ["encode", "features", "mel"])
def test_arrays_keep_their_leading_axes_and_lists_stay_lists(method: str) -> None:
    call = getattr(speech_model(), method)
    one, other = wave(640), wave(640, 1)
    alone = call(one)
    assert np.array_equal(call(one[None]), alone[None])
    both = call(np.stack([one, other]))
    assert np.array_equal(both[0], alone) and both.shape == (2, *alone.shape)
    assert np.array_equal(call(torch.from_numpy(np.stack([one, other]))), both)
    several = call([other, one, wave(100)])
    assert isinstance(several, list) and np.array_equal(several[1], alone) and len(several[2]) < len(alone)
    assert call([]) == []


def test_mel_equals_the_input_of_the_encoder() -> None:
    config = speech_config(encoder=EncoderConfig(strides=(160, 2), channels=8, mel_bands=20))
    model, x = speech_model(config), wave(4_810)
    assert model.encoder.frontend is not None
    padded = torch.from_numpy(np.pad(0.06 / np.sqrt(np.mean(x.astype(np.float64) ** 2)) * x, (0, 150)))[None]
    with torch.no_grad():
        expected = model.encoder.frontend.spectrum(model.encoder.scaled_input(padded.float()))[0]
    assert model.mel(x).shape == (31, 20) and np.allclose(model.mel(x), expected, atol=1e-3)
    assert isinstance(model.encoder.frontend.spectrum, LogMel)


@pytest.mark.parametrize("mel", [0, 20])
def test_a_mel_spectrogram_in_segments_equals_the_whole(mel: int, monkeypatch: pytest.MonkeyPatch) -> None:
    config = (
        speech_config(encoder=EncoderConfig(strides=(160, 2), channels=8, mel_bands=20))
        if mel
        else speech_config()
    )
    model, x = speech_model(config), wave(50_000)
    whole = model.mel(x)
    monkeypatch.setattr("speechvq.speech.model.ENCODE_SECONDS", 0.5)
    assert whole.shape == (313, mel or 80) and np.allclose(model.mel(x), whole, atol=1e-5)


def test_decode_takes_one_code_string_or_a_batch() -> None:
    model = speech_model()
    codes, other = model.encode(wave(400)), model.encode(wave(400, 1))
    alone = model.decode(codes, "ada", seed=3)
    assert alone.shape == (400,) and alone.dtype == np.float32
    assert np.array_equal(model.decode(codes.tolist(), "ada", seed=3), alone)
    assert np.array_equal(model.decode(torch.from_numpy(codes), "ada", seed=3), alone)
    both = model.decode(np.stack([codes, other]), ["ada", "bob"], seed=3)
    assert both.shape == (2, 400) and np.array_equal(both[0], alone)
    several = model.decode([other[:5], codes], "ada", seed=3)
    assert [len(each) for each in several] == [40, 400] and np.array_equal(several[1], alone)


def test_decoding_with_the_f0_of_the_target_equals_conversion() -> None:
    model, x = f0_model(), wave(800)
    f0 = model._target_f0(x, "bob")
    decoded = model.decode(model.encode(x), "bob", f0=f0, seed=1)
    assert np.allclose(
        model.convert(x, "bob", seed=1) / decoded, np.sqrt(np.mean(x**2) / np.mean(decoded**2)), rtol=0.01
    )
    assert model.decode(model.encode(x), "bob").shape == (800,), "F0 is predicted if none is given"


def test_convert_takes_one_waveform_or_a_batch_at_any_rate() -> None:
    model, x = speech_model(), wave(400)
    alone = model.convert(x, "bob", seed=1)
    assert alone.shape == (400,)
    assert np.array_equal(model.convert(torch.from_numpy(x)[None], "bob", seed=1), alone[None])
    both = model.convert([x[:100], x], ["ada", "bob"], seed=1)
    assert [len(each) for each in both] == [100, 400] and np.array_equal(both[1], alone)
    resampled = model.convert(x, "bob", seed=1, sample_rate=22_050)
    assert (
        np.array_equal(resampled, model.convert(resample(x, 22_050), "bob", seed=1)) and len(resampled) < 300
    )
    assert np.array_equal(model.convert([x], "bob", chunked=True, seed=1)[0], alone)


NAN = np.full(100, np.nan, np.float32)
INVALID_CALLS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "NaN": (lambda m: m.encode(NAN), "wave: NaN or infinite samples"),
    "infinite float64": (lambda m: m.encode(np.full(9, 1e300)), "wave: NaN or infinite samples"),
    "NaN in a list": (lambda m: m.encode([wave(9), NAN]), r"wave\[1\]: NaN or infinite samples"),
    "integers": (lambda m: m.encode(np.arange(9)), "wave: dtype is int64; pass float samples in .*or int16"),
    "text": (lambda m: m.encode("a.wav"), "wave: dtype is <U5; pass float"),
    "a number": (lambda m: m.encode(np.float32(3)), r"wave: shape is \(\); pass \(T,\)"),
    "numbers in a list": (lambda m: m.encode([0.1, 0.2]), r"wave\[0\]: shape is \(\)"),
    "three axes": (lambda m: m.encode(np.zeros((1, 2, 9))), r"wave: shape is \(1, 2, 9\)"),
    "channels last": (
        lambda m: m.encode(np.zeros((99, 2))),
        r"shape \(99, 2\), channels last; mix it down to mono",
    ),
    "stereo in a list": (lambda m: m.encode([np.zeros((2, 99))]), r"wave\[0\]: shape is \(2, 99\)"),
    "no waveforms": (lambda m: m.mel(np.zeros((0, 99))), r"wave has shape \(0, 99\); the batch is empty"),
    "rate of zero": (
        lambda m: m.features(wave(9), sample_rate=0),
        "sample_rate is 0; pass whole Hz from 4000",
    ),
    "kilohertz": (lambda m: m.features(wave(9), sample_rate=44.1), "sample_rate is 44.1; pass whole Hz"),
    "rate of NaN": (lambda m: m.convert(wave(9), "ada", sample_rate=np.nan), "sample_rate is nan"),
    "float codes": (
        lambda m: m.decode(np.array([1.0, 2.0]), "ada"),
        "codes: dtype is float64; pass integers",
    ),
    "code axes": (lambda m: m.decode(np.zeros((1, 2, 3), int), "ada"), r"codes: shape is \(1, 2, 3\)"),
    "large code": (lambda m: m.decode([1, 8], "ada"), "codes from 1 to 8: this model has 8"),
    "speaker": (lambda m: m.decode([1, 2], "eve"), "unknown speaker 'eve'; nearest: "),
    "number of speakers": (lambda m: m.convert([wave(9)] * 3, ["ada", "bob"]), "2 speakers for 3 utterances"),
    "number of contours": (
        lambda m: m.decode([[1], [2]], "ada", f0=[np.ones(2)]),
        "1 F0 contours for 2 code strings",
    ),
    "axes of f0": (lambda m: m.decode([1], "ada", f0=np.float32(3)), r"f0: shape is \(\); pass \(F,\) in Hz"),
    "temperature": (lambda m: m.convert(wave(9), "ada", temperature=-1), "temperature is -1; it must be"),
    "top_p": (lambda m: m.decode([1], "ada", top_p=1.5), r"top_p is 1.5; it must lie in \[0, 1\]"),
    "harmonic_boost": (
        lambda m: m.decode([1], "ada", harmonic_boost=2),
        "harmonic_boost is 2; it must lie in",
    ),
    "seed": (lambda m: m.decode([1], "ada", seed=-3), "seed is -3; it must be a whole number"),
    "engine": (
        lambda m: m.decode([1], "ada", engine="cuda"),
        "engine is 'cuda'; it must be one of auto, numba",
    ),
    "precision": (
        lambda m: m.decode([1], "ada", precision="fp16"),
        "precision is 'fp16'; it must be one of fp32",
    ),
}


@pytest.mark.parametrize("name", INVALID_CALLS)
def test_an_invalid_call_gets_one_sentence(name: str) -> None:
    call, message = INVALID_CALLS[name]
    with pytest.raises(ValueError, match=message) as caught:
        call(speech_model())
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 160


def test_a_model_in_training_mode_does_not_encode() -> None:
    model = speech_model().train()
    before = model.quantizer.codebook.detach().clone()
    for call in (model.encode, model.features, lambda x: model.convert(x, "ada")):
        with pytest.raises(RuntimeError, match="in training mode; call model.eval()"):
            call(wave())
    assert torch.equal(model.quantizer.codebook, before)
    assert model.eval().encode(wave()).shape == (101,)


def test_the_bundled_model_loads_by_default_and_moves_between_devices() -> None:
    model = speechvq.load()
    assert isinstance(model, speechvq.SpeechVQ) and not model.training and len(model.speakers) == 29
    assert model.to("cpu") is model
    with pytest.raises(speechvq.UserError, match="device .nowhere.: unknown; take .cpu.,"):
        speechvq.load(device="nowhere")


def test_public_names_are_listed_before_torch_is_imported() -> None:
    """`import speechvq` does not import torch; every public name is listed for completion and importable."""
    code = (
        "import sys, speechvq\n"
        "assert not {'torch', 'numpy'} & set(sys.modules), 'imported too early'\n"
        "assert set(speechvq.__all__) <= set(dir(speechvq)) and 'load' in dir(speechvq)\n"
        "assert not hasattr(speechvq, 'nothing')\n"
        "assert speechvq.load.__doc__ and 'torch' not in sys.modules\n"
        "assert all(getattr(speechvq, name) for name in speechvq.__all__)\n"
        "assert speechvq.metrics.__name__ == 'speechvq.metrics'\n"
        "assert speechvq.SpeechVQ.__name__ == 'SpeechVQ'\n"
        "assert speechvq.VectorQuantizer.__name__ == 'VectorQuantizer'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_version_is_written_once() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in project and 'version = { attr = "speechvq.__version__" }' in project
    assert speechvq.__version__ not in project
    assert '"py.typed"' in project and (ROOT / "speechvq" / "py.typed").is_file()
