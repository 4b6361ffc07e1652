"""The pages of docs/ and of the recipes' results are correct: commands, names, links, anchors and code."""

import ast
import importlib
import re

import pytest
import yaml

import speechvq
from cli.test_commands import FLAGS, PARSERS
from helpers.documents import OUR_COMMAND, Document, is_ours, words
from helpers.tiny import ROOT
from speechvq import config as configuration
from speechvq.config import SpeechRun

DOCS = ROOT / "docs"
PAGES = {
    document.name: document
    for document in map(
        Document,
        [
            *sorted(DOCS.rglob("*.md")),
            *sorted(ROOT.glob("recipes/*/RESULTS.md")),
            *sorted(ROOT.glob("speechvq/pretrained/*/MODEL_CARD.md")),
            ROOT / "CONTRIBUTING.md",
        ],
    )
}
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.py"))
COMMANDS = [(name, line) for name, document in PAGES.items() for line in document.commands]
COMMANDS += [
    (path.name, line.removeprefix("# !"))
    for path in NOTEBOOKS
    for line in path.read_text(encoding="utf-8").splitlines()
    if line.startswith("# !")
]
SCRIPTS = [*ROOT.glob("recipes/**/*.sh"), *ROOT.glob("tests/**/*.sh"), *ROOT.glob("tests/**/__main__.py")]
MAX_AUDIO = 1.5 * 2**20  # bytes of docs/audio


@pytest.mark.parametrize(("page", "line"), [(page, line) for page, line in COMMANDS if is_ours(line)])
def test_our_commands_can_be_parsed(page: str, line: str) -> None:
    found = OUR_COMMAND.match(line)
    assert found
    arguments = PARSERS[found[1]]().parse_args(words(line[found.end() :]))
    config = getattr(arguments, "config", None)
    assert config is None or configuration.find_config(config).is_file()


@pytest.mark.parametrize(("page", "line"), [(page, line) for page, line in COMMANDS if not is_ours(line)])
def test_other_commands_are_scripts_or_common_programs(page: str, line: str) -> None:
    program, *arguments = words(line)
    if program in ("bash", "python") and not arguments[0].startswith("-"):
        script, *rest = arguments
        text = (ROOT / script).read_text()
        flags = [word for word in rest if word.startswith("--")]
        assert [flag for flag in flags if flag not in text and flag[2:] not in text] == []
    else:
        assert program in (
            "git",
            "cd",
            "pip",
            "python",
            "python3",
            "source",
            "mkdocs",
            "jupytext",
            "torchrun",
        )


@pytest.mark.parametrize("page", PAGES)
def test_flags_of_inline_commands_exist(page: str) -> None:
    known = set(" ".join(FLAGS.values()).split())
    known |= {flag for script in SCRIPTS for flag in re.findall(r"--[a-z-]+", script.read_text())}
    for span in PAGES[page].inline:
        found = OUR_COMMAND.search(span)
        if found:
            flags = set(re.findall(r"(?<=\s)--[a-z0-9-]+", span[found.end() :]))
            assert flags <= set(FLAGS[found[1]].split()), span
        elif span.startswith("--") and page.startswith("docs/"):
            assert span.split()[0] in known, span


@pytest.mark.parametrize("page", PAGES)
def test_links_and_anchors_resolve(page: str) -> None:
    document = PAGES[page]
    for link in document.links:
        target, _, anchor = link.partition("#")
        path = document.path.parent / target
        if document.path.parent == DOCS and target.startswith("notebooks/"):
            path = path.with_suffix(".py")  # the site makes its page of the notebook
        assert path.exists(), link
        if anchor:
            assert anchor in Document(path).anchors(), link


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_paths_in_pages_exist(page: str) -> None:
    lines = [line for line in PAGES[page].text.splitlines() if "github.com" not in line]  # paths of others
    spans = " ".join(re.findall(r"`([^`]+)`", "\n".join(lines))) + " ".join(PAGES[page].commands)
    paths = re.findall(r"(?<![\w/.])(?:recipes|speechvq|tests|docs|\.ci)/[\w./-]+", spans)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def code_blocks() -> list[tuple[str, str]]:
    blocks = [
        (page, text) for page, document in PAGES.items() for kind, text in document.fenced if kind == "python"
    ]
    return blocks + [(path.name, path.read_text(encoding="utf-8")) for path in NOTEBOOKS]


@pytest.mark.parametrize(("page", "text"), code_blocks(), ids=lambda each: each.split("\n")[0][:40])
def test_code_parses_and_its_imports_exist(page: str, text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("speechvq"):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names), page
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert node.value.id != "speechvq" or hasattr(speechvq, node.attr), node.attr


def test_configurations_in_inline_code_exist() -> None:
    spans = [span for document in PAGES.values() for span in document.inline]
    names = {match[1] for span in spans if (match := re.search(r"--config (\w+)", span))}
    assert [name for name in names if not configuration.find_config(name).is_file()] == []


def test_the_table_of_extras_is_complete() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    part = text[text.index("[project.optional-dependencies]") : text.index("[project.scripts]")]
    rows = re.findall(r"^\| (`.*?) \|", PAGES["docs/get_started.md"].text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == set(re.findall(r"^(\w+) = \[", part, re.MULTILINE))


def test_configurations_match_the_table() -> None:
    """Codes per second, number of codes and input of the encoder, as docs/train.md and docs/paper.md say."""
    row = r"^\| `(\w+)` \| (\d+) per second(?:, K = (\d+) \| (log-mel|waveform)| \(\d+x\) \| (\d+))"
    text = PAGES["docs/train.md"].text + PAGES["docs/paper.md"].text
    rows = re.findall(row, text, re.MULTILINE)
    assert len(rows) >= 8
    for name, rate, num_codes, reads, other_num_codes in rows:
        model = configuration.load(configuration.find_config(name), SpeechRun).model
        assert (model.frame_rate, model.quantizer.num_codes) == (int(rate), int(num_codes or other_num_codes))
        assert not reads or (reads == "log-mel") == bool(model.encoder.mel_bands)


def navigation(entries: list[object]) -> list[str]:
    found = []
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            found += navigation(value) if isinstance(value, list) else [str(value)]
    return found


def test_every_page_is_in_the_navigation() -> None:
    settings = yaml.safe_load((DOCS / "site" / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = set(navigation(settings["nav"]))
    sources = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    pages |= {source for source in sources if "/" not in source}  # a hook adds them
    notebooks = {f"notebooks/{path.stem}.md" for path in NOTEBOOKS}
    results = {f"results/{path.parent.name}.md" for path in ROOT.glob("recipes/*/RESULTS.md")}
    assert sources | notebooks | results <= pages
    missing = {page for page in pages if not page.startswith(("results/", "models/"))} - sources - notebooks
    assert missing <= {"contributing.md", "changelog.md"}


def test_every_bundled_speaker_has_a_sample() -> None:
    samples = list((DOCS / "audio").glob("*.ogg"))
    assert {path.stem for path in samples} == set(speechvq.load().speakers)
    assert sum(path.stat().st_size for path in samples) < MAX_AUDIO
    page = (DOCS / "speakers.md").read_text(encoding="utf-8")
    assert all(f"(audio/{path.name})" in page for path in samples)


def test_the_site_loads_nothing_from_other_servers() -> None:
    sources = [path for path in (DOCS / "site").rglob("*") if path.suffix in (".yml", ".css", ".html", ".js")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    assert "font: false" in text and not re.search(r"https?://|@import|analytics:", text)
    assert not list((DOCS / "site").glob("*.js"))
