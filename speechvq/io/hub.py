"""Models on the Hugging Face hub (the optional extra "hub")."""

import re
from pathlib import Path
from types import ModuleType

from speechvq.errors import UserError

PREFIX = "hub:"  # before OWNER/NAME, so that a missing folder is never searched for on the hub
FILES = ("config.yaml", "model.safetensors", "*.md")
REMEDY = "pip install 'speechvq[hub]'"
_NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([A-Za-z0-9][\w./-]*))?")


def is_hub_name(name: str | Path) -> bool:
    """Whether a name has the form hub:OWNER/NAME or hub:OWNER/NAME@REVISION."""
    return str(name).startswith(PREFIX)


def download(name: str) -> Path:
    """The model directory of hub:OWNER/NAME, downloaded unless it is in the hub's cache.

    hub:OWNER/NAME@REVISION takes a branch, a tag or a commit. Only a commit, by its 40 digits, never changes.
    Only a model's files are downloaded; none of them is code.

    Raises:
        UserError: no such name, no network, or the extra is missing.
    """
    hub, (repository, revision) = _hub(), _repository(name)
    try:
        return Path(hub.snapshot_download(repository, revision=revision, allow_patterns=list(FILES)))
    except (OSError, ValueError, RuntimeError) as error:
        reason = _first_line(error)
        raise UserError(f"{name}: cannot be downloaded ({reason}); check the name and the network") from None


def upload(folder: Path, name: str, *, private: bool) -> str:
    """Upload a model directory to the hub as OWNER/NAME, with or without "hub:"; returns its URL.

    Raises:
        UserError: not logged in, no network, or the extra is missing.
    """
    hub, (repository, revision) = _hub(), _repository(name)
    if revision is not None:
        raise UserError(f"'{name}': a model is uploaded without @REVISION")
    try:
        url = hub.create_repo(repository, private=private, exist_ok=True)
        hub.upload_folder(repo_id=repository, folder_path=str(folder), allow_patterns=list(FILES))
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{name}: cannot be uploaded ({_first_line(error)}); log in with: hf auth login"
        ) from None
    return str(url)


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
