"""Models on the Hugging Face hub (the optional extra "hub")."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from speechvq.errors import UserError, short_repr
from speechvq.io.hub import model_card
from speechvq.io.yaml_files import read_yaml

PREFIX = "hub:"  # before OWNER/NAME, so that a missing folder is never searched for on the hub
DATA = ("config.yaml", "model.safetensors", "speakers.json")  # the last one only if there is one
PRIOR = "prior"  # folder of a model directory with the prior over the model's codes, if it has one
FILES = (*DATA, *(f"{PRIOR}/{name}" for name in DATA), "*.md")  # what is downloaded; sounds are for the page
CARDS = (model_card.NAME, "MODEL_CARD.md")
REMEDY = "pip install 'speechvq[hub]'"
_NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([A-Za-z0-9][\w./-]*))?")


def is_hub_name(name: str | Path) -> bool:
    """Whether a name has the form hub:OWNER/NAME or hub:OWNER/NAME@REVISION."""
    return str(name).startswith(PREFIX)


def download(name: str) -> Path:
    """The model directory of hub:OWNER/NAME, downloaded unless it is in the hub's cache.

    hub:OWNER/NAME@REVISION takes a branch, a tag or a commit. Only a commit, by its 40 digits, never changes.
    Only a model's files are downloaded; none of them is code. HF_HUB_OFFLINE, HF_ENDPOINT, HF_HOME, HF_TOKEN
    and the proxy variables act as in every program that uses huggingface_hub.

    Raises:
        UserError: no such name, no network, or the extra is missing.
    """
    hub, (repository, revision) = _hub(), _repository(name)
    try:
        return Path(hub.snapshot_download(repository, revision=revision, allow_patterns=list(FILES)))
    except Exception as error:  # of the hub's client, which raises many kinds
        reason = _first_line(error)
        raise UserError(f"{name}: cannot be downloaded ({reason}); check the name and the network") from None


def upload(
    folder: Path,
    name: str,
    *,
    private: bool,
    prior: Path | None = None,
    license_id: str | None = None,
    languages: Sequence[str] = (),
    dry_run: bool = False,
) -> str:
    """Upload a model directory to the hub as OWNER/NAME, with or without "hub:", in one commit.

    The card is the folder's README.md, else its MODEL_CARD.md, else a new one; metadata are put before a card
    that has none. Sounds beside the weights are uploaded with it.

    Args:
        folder: the model directory itself.
        name: OWNER/NAME.
        private: whether a new repository is private.
        prior: model directory of a prior over the model's codes, which becomes the folder `prior` beside it.
        license_id: the hub's name of the license, for example "mit"; not used if the card has metadata.
        languages: ISO 639 codes; not used if the card has metadata.
        dry_run: connect to nothing, and return the list of files and the card.

    Returns:
        The repository's URL; with `dry_run`, the files with their sizes, and the card.

    Raises:
        UserError: no model of a known kind, not logged in, no network, or the extra is missing.
    """
    repository, revision = _repository(name)
    if revision is not None:
        raise UserError(f"'{name}': a model is uploaded without @REVISION")
    files = _files(folder)
    if prior is not None:
        files |= {f"{PRIOR}/{each}": path for each, path in _files(prior).items() if each in DATA}
    card = _card(folder, repository, license_id, languages)
    if dry_run:
        return _listing(repository, files, card)
    hub = _hub()
    contents: list[tuple[str, Path | bytes]] = [*files.items(), (model_card.NAME, card.encode())]
    try:
        url = hub.create_repo(repository, private=private, exist_ok=True)
        hub.create_commit(
            repository,
            [hub.CommitOperationAdd(path_in_repo=path, path_or_fileobj=each) for path, each in contents],
            commit_message=f"Model of speechvq: {len(contents)} files",
        )
    except Exception as error:  # of the hub's client, which raises many kinds
        raise UserError(
            f"{name}: cannot be uploaded ({_first_line(error)}); log in with: hf auth login"
        ) from None
    return str(url)


def _files(folder: Path) -> dict[str, Path]:
    """What is uploaded beside the card, by its name in the repository."""
    paths = [path for path in sorted(folder.iterdir()) if path.is_file()]
    return {
        path.name: path for path in paths if path.name in DATA or path.suffix.lower() in model_card.SOUNDS
    }


def _card(folder: Path, repository: str, license_id: str | None, languages: Sequence[str]) -> str:
    """The text of the repository's README.md."""
    config = read_yaml(folder / DATA[0])
    if not model_card.is_known(config.get("kind")):
        raise UserError(f"{folder / DATA[0]}: kind {short_repr(config.get('kind'))} cannot be uploaded")
    sounds = [name for name in _files(folder) if name not in DATA]
    fields = model_card.metadata(config, license_id=license_id, languages=languages, sounds=sounds)
    for name in CARDS:
        if (folder / name).is_file():
            text = (folder / name).read_text(encoding="utf-8")
            break
    else:
        text = model_card.write_card(repository, config, sounds)
    return model_card.with_metadata(text, fields)


def _listing(repository: str, files: Mapping[str, Path], card: str) -> str:
    """What a dry run says."""
    sizes = {name: path.stat().st_size for name, path in files.items()}
    sizes[model_card.NAME] = len(card.encode())
    lines = [f"{size:>12,} bytes  {name}" for name, size in sizes.items()]
    total = f"{sum(sizes.values()):>12,} bytes  in {len(sizes)} files; nothing was uploaded"
    return "\n".join([f"to {repository}:", *lines, total, "", f"{model_card.NAME}:", card])


def _repository(name: str) -> tuple[str, str | None]:
    """OWNER/NAME, and the revision if one is given."""
    found = _NAME.fullmatch(name.removeprefix(PREFIX))
    if not found:
        raise UserError(f"'{name}': expected {PREFIX}OWNER/NAME or {PREFIX}OWNER/NAME@REVISION")
    return found[1], found[2]


def _hub() -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise UserError(f"the hub needs huggingface_hub ({error}): {REMEDY}") from error
    return huggingface_hub


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
