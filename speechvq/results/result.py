"""The base of all results: writing a JSON file and reading it back, checked."""

import json
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from speechvq.errors import UserError
from speechvq.io.atomic import write_json
from speechvq.io.reading import read_regular
from speechvq.results import codec

R = TypeVar("R", bound="Record")
S = TypeVar("S", bound="Result")


class Record:
    """A dataclass that becomes a JSON object and is built from one."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; NaN becomes None."""
        content: dict[str, Any] = codec.to_json(self)
        return content

    @classmethod
    def from_json(cls: type[R], content: Any) -> R:
        """Build the record and check every key and type.

        Raises:
            ValueError: a key is missing or a value has another type; the message names it.
        """
        return codec.from_json(cls, content)


class Result(Record):
    """Everything that `evaluate SUBJECT` measured."""

    subject: ClassVar[str]

    def save(self, path: Path) -> None:
        """Write a JSON file.

        Raises:
            UserError: the disk is full or not writable.
        """
        write_json(path, self.to_json())

    @classmethod
    def load(cls: type[S], path: Path) -> S:
        """Read what `save` wrote.

        Raises:
            UserError: no such file, or another content.
        """
        command = f"`evaluate {cls.subject} --json {path}`"
        try:
            return cls.from_json(json.loads(read_regular(path)))
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; write it with {command}") from None
        except RecursionError:
            reason = "nested too deeply"
        except ValueError as error:  # of bytes that are not UTF-8 or not JSON, too
            reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: not a result of `evaluate {cls.subject}` ({reason}); run {command}")
