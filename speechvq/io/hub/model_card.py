"""Cards of models on the Hugging Face hub: metadata in YAML between lines of dashes, then Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import yaml

NAME = "README.md"  # the hub shows the file of this name only
RULE = "---\n"  # before and after the metadata
HOME = "speechvq"  # the library; see the metadata `library_name`
SOUNDS = (".flac", ".wav", ".mp3", ".ogg")
# Per `kind` of the configuration: what the model is, the hub's name of the task, further tags, and its use.
_SPEECH = """```python
import speechvq

model = speechvq.load("hub:{name}")
codes = model.encode(waveform)                        # 16 kHz, mono
converted = model.convert(waveform, "{speaker}")
```"""
_DRAW = "```bash\npython -m speechvq.draw {flags} --data IMAGES --out drawn\n```"
_GENERATE = "```bash\npython -m speechvq.generate --model MODEL --prior hub:{name} --out generated\n```"
_IMAGINE = "```bash\npython -m speechvq.imagine --prior hub:{name} --model MODEL --data DATA --out made\n```"
_DRAW_RUN = _DRAW.format(flags="--run hub:{name}")
_IMAGES = ["image"]
_KINDS: dict[str, tuple[str, str | None, list[str], str]] = {
    "speech": (
        "Speech VQ-VAE: waveforms to discrete codes, and codes to speech in the voice of a speaker.",
        "audio-to-audio",
        ["audio", "speech", "voice-conversion", "feature-extraction", "speech-units"],
        _SPEECH,
    ),
    "sequence": (
        "Prior over the code strings of a speech VQ-VAE.",
        "text-to-audio",  # the hub has no task of generating audio from nothing
        ["audio", "speech", "speech-units", "prior"],
        _GENERATE,
    ),
    "image_vae": (
        "VAE of images.",
        "unconditional-image-generation",
        _IMAGES,
        _DRAW_RUN,
    ),
    "image_vqvae": (
        "VQ-VAE of images.",
        "image-feature-extraction",
        _IMAGES,
        _DRAW_RUN,
    ),
    "image_vimco": (
        "Model of images with discrete latents, trained by VIMCO.",
        "image-feature-extraction",
        _IMAGES,
        _DRAW_RUN,
    ),
    "pixelcnn": (
        "PixelCNN prior over the codes of an image model.",
        "unconditional-image-generation",
        [*_IMAGES, "prior"],
        _DRAW.format(flags="--run MODEL --prior hub:{name}"),
    ),
    "second_stage": (
        "Second-stage VQ-VAE over the codes of an image model.",
        "image-feature-extraction",
        _IMAGES,
        _DRAW.format(flags="--run MODEL --second-stage hub:{name}"),
    ),
    "video_prior": (
        "Prior over the next frame of a video, given past frames and actions.",
        None,
        ["video", "prior", "world-model"],
        _IMAGINE,
    ),
}


def is_known(kind: object) -> bool:
    """Whether a configuration's `kind` is that of a model that the hub can hold."""
    return isinstance(kind, str) and kind in _KINDS


def metadata(
    config: Mapping[str, Any],
    *,
    license_id: str | None = None,
    languages: Sequence[str] = (),
    sounds: Sequence[str] = (),
) -> dict[str, Any]:
    """The metadata of a card, by which the hub finds and shows a model.

    Args:
        config: content of `config.yaml`, of a known kind.
        license_id: the hub's name of the license, for example "mit" or "cc-by-4.0"; None leaves it out.
        languages: ISO 639 codes, for example "en".
        sounds: names of audio files beside the card, which the hub plays.
    """
    _, task, tags, _ = _KINDS[config["kind"]]
    fields: dict[str, Any] = {"library_name": HOME}
    if task:
        fields["pipeline_tag"] = task
    if license_id:
        fields["license"] = license_id
    if languages:
        fields["language"] = list(languages)
    fields["tags"] = ["vq-vae", *tags]
    if sounds:
        fields["widget"] = [{"src": sound, "example_title": PurePosixPath(sound).stem} for sound in sounds]
    return fields


def with_metadata(text: str, fields: Mapping[str, Any]) -> str:
    """A card with metadata before it, unless it has its own."""
    if text.startswith(RULE):
        return text
    return f"{RULE}{yaml.safe_dump(dict(fields), sort_keys=False, allow_unicode=True)}{RULE}\n{text}"


def write_card(name: str, config: Mapping[str, Any], sounds: Sequence[str] = ()) -> str:
    """The Markdown of a card, without metadata.

    Args:
        name: OWNER/NAME.
        config: content of `config.yaml`, of a known kind.
        sounds: names of audio files beside the card.
    """
    what, _, _, usage = _KINDS[config["kind"]]
    speakers = [str(each) for each in config.get("speakers") or []]
    example = speakers[0] if speakers else "SPEAKER"
    parts = [f"# {name.rpartition('/')[2]}", what, usage.format(name=name, speaker=example)]
    if config["kind"] == "speech":
        parts.append(f"Speakers ({len(speakers)}): {', '.join(f'`{each}`' for each in speakers)}.")
    if sounds:
        parts.append("\n".join(f'<audio controls src="{sound}"></audio>' for sound in sounds))
    parts.append(
        "Training data, evaluation and limits: not stated. Whoever publishes the model can write them into "
        "`README.md` of its folder."
    )
    return "\n\n".join(parts) + "\n"
