"""Configurations: round trip, messages that name the key, bounds, and malicious files."""

import dataclasses
import sys
from pathlib import Path

import pytest
import yaml

from helpers.tiny import MODEL, ROOT, run_config
from speechvq import config as configuration
from speechvq import train
from speechvq.config import (
    WAVENET_SIZES,
    EncoderConfig,
    QuantizerConfig,
    SequencePriorRun,
    SpeechConfig,
    SpeechRun,
    TrainConfig,
    WaveNetConfig,
    find_config,
    from_mapping,
    load,
    packaged_configs,
    read_run,
    to_mapping,
)
from speechvq.config.runs import RUNS
from speechvq.errors import UserError
from speechvq.io.yaml_files import read_yaml


def loaded(folder: Path, text: str, *overrides: str) -> SpeechRun:
    (folder / "run.yaml").write_text(text, encoding="utf-8")
    return load(folder / "run.yaml", SpeechRun, overrides)


def refusal(folder: Path, text: str, *overrides: str) -> str:
    """The message about a refused configuration."""
    with pytest.raises(UserError) as caught:
        loaded(folder, text, *overrides)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 700 and line.startswith(str(folder / "run.yaml"))
    return line.removeprefix(f"{folder / 'run.yaml'}: ")


@pytest.mark.parametrize(
    "config", [SpeechRun(), SpeechRun(model=MODEL), run_config(Path("/somewhere"), "ema", seed=3)]
)
def test_round_trip(config: SpeechRun, tmp_path: Path) -> None:
    configuration.save(tmp_path / "run.yaml", config)
    assert load(tmp_path / "run.yaml", SpeechRun) == config
    assert from_mapping(SpeechRun, to_mapping(config)) == config
    assert [path.name for path in tmp_path.iterdir()] == ["run.yaml"]


def test_an_empty_mapping_gives_the_defaults(tmp_path: Path) -> None:
    assert loaded(tmp_path, "{}") == SpeechRun()
    assert loaded(tmp_path, "train: {learning_rate: 1e-4}").train.learning_rate == 1e-4
    assert loaded(tmp_path, "train: {grad_clip: 5}").train.grad_clip == 5.0


@pytest.mark.parametrize("path", sorted(ROOT.glob("speechvq/configs/*.yaml")), ids=lambda path: path.name)
def test_every_recipe_loads(path: Path) -> None:
    config = read_run(path)
    if isinstance(config, SpeechRun):
        assert config.data.crop % config.model.hop == 0 and config.data.manifest


def test_the_kind_selects_the_class_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("model: {kind: sequence, gru: {hidden_size: 8}}")
    config = read_run(tmp_path / "run.yaml", ["model.network=gru", "data.codes=exp/codes"])
    assert isinstance(config, SequencePriorRun) and config.model.gru.hidden_size == 8
    configuration.save(tmp_path / "again.yaml", config)
    assert read_run(tmp_path / "again.yaml") == config
    for text, message in (
        ("model.gru.hidden_size=0", "expected 1 to"),
        ("model.quantizer=1", "unknown key"),
        ("data.crop=0", "1 to"),
    ):
        with pytest.raises(UserError, match=message):
            read_run(tmp_path / "run.yaml", [text])


def test_hop_and_rate_follow_from_the_strides() -> None:
    assert (SpeechConfig().hop, SpeechConfig().frame_rate) == (64, 250.0)
    paper = SpeechConfig(encoder=EncoderConfig((2,) * 7 + (5,)))
    assert (paper.hop, paper.frame_rate) == (640, 25.0)


@pytest.mark.parametrize(
    "key, nearest", [("trian", "train"), ("model.quantiser", "quantizer"), ("train.step", "steps")]
)
def test_an_unknown_key_suggests_the_closest_one(tmp_path: Path, key: str, nearest: str) -> None:
    assert refusal(tmp_path, "{}", f"{key}=1") == f"unknown key '{key}'; did you mean '{nearest}'?"
    assert "known: model, data, train" in refusal(tmp_path, "xyz: 1")


def test_overrides_apply_in_order(tmp_path: Path) -> None:
    config = loaded(
        tmp_path, "train: {steps: 7, seed: 1}", "train.steps=8", "train.precision=bf16", "train.steps=9"
    )
    assert (config.train.steps, config.train.seed, config.train.precision) == (9, 1, "bf16")
    config = loaded(tmp_path, "{}", "model.encoder.strides=[2, 5]", "data.manifest=data/a=b")
    assert config.model.encoder.strides == (2, 5) and config.data.manifest == "data/a=b"


def test_a_preset_can_be_overridden(tmp_path: Path) -> None:
    for size, expected in WAVENET_SIZES.items():
        assert loaded(tmp_path, f"model: {{wavenet: {size}}}").model.wavenet == expected
    config = loaded(tmp_path, "{}", "model.wavenet=M", "model.wavenet.skip_channels=64")
    assert config.model.wavenet == dataclasses.replace(WAVENET_SIZES["M"], skip_channels=64)
    config = loaded(tmp_path, "model: {wavenet: M}", "model.wavenet.mulaw_bins=512")
    assert config.model.wavenet == dataclasses.replace(WAVENET_SIZES["M"], mulaw_bins=512)
    assert "expected a size (S, M)" in refusal(tmp_path, "model: {wavenet: L}")


@pytest.mark.parametrize(
    "setting, message",
    [
        ("train.steps=1.5", "train.steps: expected a whole number, got 1.5"),
        ("train.steps=true", "train.steps: expected a whole number, got True"),
        ("train.steps=many", "train.steps: expected a whole number, got 'many'"),
        ("train.grad_clip=big", "train.grad_clip: expected a number, got 'big'"),
        ("train.grad_clip=.nan", "train.grad_clip: expected a finite number, got nan"),
        ("train.grad_clip=-.inf", "train.grad_clip: expected a finite number, got -inf"),
        ("train.grad_clip=nan", "train.grad_clip: expected a finite number, got nan"),
        ("train.precision=fp16", "train.precision: expected one of fp32, bf16, got 'fp16'"),
        ("model.encoder.strides=2", "model.encoder.strides: expected a list, got 2"),
        ("model.encoder.strides=[]", "model.encoder.strides: expected a list"),
        ("model.encoder.strides=[2, x]", "model.encoder.strides: expected a whole number, got 'x'"),
        ("model.quantizer=3", "model.quantizer: expected keys and values, got 3"),
        ("train", "--set train: expected key.key=value"),
        ("=3", "--set =3: expected key.key=value"),
        ("train.steps=[", "--set train.steps=[: the value is not valid YAML"),
    ],
)
def test_wrong_types_are_named(tmp_path: Path, setting: str, message: str) -> None:
    assert refusal(tmp_path, "{}", setting).startswith(message)


@pytest.mark.parametrize("part", [EncoderConfig, QuantizerConfig, WaveNetConfig, SpeechConfig, TrainConfig])
def test_every_number_has_bounds(part: type) -> None:
    """A file cannot request sizes beyond the machine's memory, or a division by zero."""
    numbers = [field for field in dataclasses.fields(part) if field.type in (int, float, "int", "float")]
    for field in numbers:
        low, high = field.metadata["bounds"]
        assert low <= field.default <= high
        for value in (low - 1, high + 1, 10**12 * max(abs(high), 1)):
            with pytest.raises(UserError, match=f"^{field.name}: expected "):
                from_mapping(part, {field.name: value})


@pytest.mark.parametrize("strides", [[0], [-2, 2], [65], [2] * 17, [1] * 33, [64] * 3])
def test_invalid_strides_are_refused(tmp_path: Path, strides: list[int]) -> None:
    assert "encoder.strides: expected" in refusal(tmp_path, "{}", f"model.encoder.strides={strides}")


HOSTILE = {
    "a tag that runs code": "model: !!python/object/apply:os.system ['touch /tmp/never']",
    "a tag that names a module": "model: !!python/name:os.system ''",
    "an unknown tag": "model: !mine 3",
    "a date that is none": "train: {steps: 2024-99-99}",
    "a timestamp that is none": "train: {steps: !!timestamp x}",
    "a boolean that is none": "train: {steps: !!bool x}",
    "an integer that is none": "train: {steps: !!int ''}",
    "a float that is none": "train: {steps: !!float x}",
    "thousands of digits": "train: {steps: " + "9" * 9000 + "}",
    "thousands of hexadecimal digits": "train: {steps: 0x" + "9" * 9000 + "}",
    "digits within a list": "model: {encoder: {strides: [[0x" + "9" * 9000 + "]]}}",
    "deep nesting": "model: " + "[" * 5000,
    "a list": "[1, 2]",
    "a word": "word",
    "nothing": "",
    "two documents": "a: 1\n---\nb: 2",
    "not YAML": "a: [1, {",
    "a huge key": "k" * 100_000 + ": 1",
    "a key of two lines": '"a\\nb": 1',
    "a value of many lines": 'train: {steps: "a\\nb\\nc"}',
    "a list as key": "? [1, 2]\n: 3",
    "an alias of itself": "model: &a [*a]",
    "a NUL": "a: \0",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_malicious_files_give_one_line(tmp_path: Path, what: str) -> None:
    refusal(tmp_path, HOSTILE[what])
    assert not Path("/tmp/never").exists()


def test_aliases_cannot_grow(tmp_path: Path) -> None:
    """A billion items from thirty lists of two: the message does not print them, which would never end."""
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 30)]
    for place in ("train: {steps: *a29}", "model: {encoder: {strides: [*a29]}}", "data: *a29"):
        key, _, value = place.partition(": ")
        bomb = "\n".join(lines).replace("a0: ", "zz0: ")
        refusal(tmp_path, f"{bomb}\n{key}: {value}")
        with pytest.raises(UserError):
            from_mapping(SpeechRun, {key: yaml.safe_load(f"{bomb}\n{key}: {value}")[key]})


def test_files_that_are_not_configurations(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "large.yaml").write_bytes(b"#" * ((1 << 20) + 1))
    for name, cause in [("bytes", "not valid YAML"), ("large", "more than"), ("gone", "No such file")]:
        with pytest.raises(UserError, match=f"{name}.yaml: {cause}"):
            read_yaml(tmp_path / f"{name}.yaml")
    with pytest.raises(UserError, match="directory"):
        read_yaml(tmp_path)


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.yaml"
    configuration.save(path, SpeechRun())
    before = path.read_text()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(UserError, match="No space left"):
        configuration.save(path, SpeechRun(model=MODEL))
    assert path.read_text() == before and [each.name for each in tmp_path.iterdir()] == ["run.yaml"]
    assert sys.getrecursionlimit() >= 1000


def test_train_has_a_task_for_every_model_kind() -> None:
    assert train.TASKS.keys() == RUNS.keys()


def test_a_configuration_is_found_by_name_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [each.name for each in packaged_configs()]
    assert {"voice", "mini", "vctk64", "cifar10_vqvae", "video_prior"} <= set(names)
    assert read_run("voice") == read_run(find_config("voice")) == read_run(Path("voice"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "voice").write_text("train: {steps: 7}")  # a file of that name wins
    assert read_run("voice").train.steps == 7
    for name in ("voise", "../configs/voice", ""):
        with pytest.raises(
            UserError, match="no such configuration; give a .yaml file or one of cifar10_prior,"
        ):
            find_config(name)


def test_every_packaged_configuration_has_a_summary() -> None:
    assert all(20 < len(each.summary) < 130 for each in packaged_configs())
