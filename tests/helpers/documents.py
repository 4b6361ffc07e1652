"""Parts of a Markdown page that tests check: commands, code blocks, inline code, links and headings."""

import re
import shlex
from collections import Counter
from pathlib import Path

from helpers.tiny import ROOT

OUR_COMMAND = re.compile(r"python -m speechvq\.(evaluate \w+|\w+)")


class Document:
    """A Markdown page.

    Attributes:
        path: of the file.
        text: the whole page.
        fenced: (language, text) of each code block.
        inline: spans of inline code, outside code blocks.
        commands: lines of the bash blocks; continued lines are joined.
        links: targets of links and images, outside code blocks, without web addresses.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.text = path, path.read_text(encoding="utf-8")
        self.fenced = re.findall(r"^```(\w*)\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)
        prose = re.sub(r"^```.*?^```", "", self.text, flags=re.MULTILINE | re.DOTALL)
        self.inline = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
        blocks = [block.replace("\\\n", " ") for language, block in self.fenced if language == "bash"]
        self.commands = [line.strip() for block in blocks for line in block.splitlines() if line.strip()]
        links = re.findall(r"\]\(([^)]+)\)", re.sub(r"`[^`]*`", "", prose))
        self.links = [link for link in dict.fromkeys(links) if not link.startswith(("http", "#"))]
        self._headings = re.findall(r"^#+ (.*)", prose, re.MULTILINE)

    @property
    def name(self) -> str:
        """The path within the repository."""
        return self.path.relative_to(ROOT).as_posix()

    def anchors(self) -> set[str]:
        """Anchors of the headings, as Python-Markdown and GitHub make them."""
        seen: Counter[str] = Counter()
        found = set()
        for heading in self._headings:
            slug = re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())
            found.add(slug if not seen[slug] else f"{slug}_{seen[slug]}")
            seen[slug] += 1
        return found


def words(line: str) -> list[str]:
    """Words of a command line, without its comment."""
    return shlex.split(line, comments=True)


def is_ours(line: str) -> bool:
    """Whether a command line runs a command of the package."""
    return line.startswith("python -m speechvq.")
