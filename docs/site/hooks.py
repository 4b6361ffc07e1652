"""Hooks of MkDocs: pages from other folders of the repository, audio players, and formulas as MathML.

The sources in docs/ are plain Markdown that also reads well in the repository: a sound is a link, a formula
stands between dollar signs, and links to files outside docs/ are relative paths.
"""

import posixpath
import re
import sys
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
from notebook_pages import notebook_page

ROOT = Path(__file__).parents[2]
# Files outside docs/ that are pages of the site, and the addresses of these pages.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    **{
        path.relative_to(ROOT).as_posix(): f"results/{path.parent.name}.md"
        for path in ROOT.glob("recipes/*/RESULTS.md")
    },
    **{
        path.relative_to(ROOT).as_posix(): f"models/{path.parent.name}.md"
        for path in ROOT.glob("speechvq/pretrained/*/MODEL_CARD.md")
    },
}
SOURCES = {page: source for source, page in PAGES.items()}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)((?:#[^)\s]*)?)\)")
SOUND = re.compile(r'<a href="([^"]+\.(?:flac|ogg|wav))"[^>]*>(.*?)</a>')
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages of docs/ that the navigation does not name, before the design."""
    named = str(config.nav)
    found = [path.name for path in sorted((ROOT / "docs").glob("*.md")) if f"'{path.name}'" not in named]
    place = next(i for i, entry in enumerate(config.nav) if "Design" in entry)
    titles = [
        (ROOT / "docs" / name).read_text(encoding="utf-8").split("\n", 1)[0].strip("# ") for name in found
    ]
    config.nav[place:place] = [{title: name} for title, name in zip(titles, found)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add pages and images from outside docs/, and the notebooks with their outputs."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
        for image in (ROOT / source).parent.glob("*.png"):
            folder = posixpath.dirname(page)
            files.append(
                File.generated(config, f"{folder}/{image.parent.name}_{image.name}", abs_src_path=str(image))
            )
    files.append(File.generated(config, "style.css", abs_src_path=str(Path(__file__).with_name("style.css"))))
    for notebook in sorted((ROOT / "docs" / "notebooks").glob("*.py")):
        page = f"notebooks/{notebook.stem}.md"
        files.append(File.generated(config, page, content=notebook_page(notebook, ROOT)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to files of the repository at the pages of the site; other files keep their name only."""
    uri = page.file.src_uri
    folder = posixpath.dirname(SOURCES.get(uri, f"docs/{uri}"))

    def rewrite(link: re.Match[str]) -> str:
        mark, text, target, anchor = link.groups()
        if re.match(r"\w+:", target):
            return link[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        if path in PAGES:
            found = PAGES[path]
        elif path.endswith(".png") and uri in SOURCES:
            found = f"{posixpath.dirname(uri)}/{posixpath.basename(folder)}_{posixpath.basename(path)}"
        elif path.startswith("docs/") or not (ROOT / path).exists():
            found = path.removeprefix("docs/")
        else:
            return text if text.startswith("`") else f"{text} (`{path}`)"
        return f"{mark}[{text}]({posixpath.relpath(found, posixpath.dirname(uri) or '.')}{anchor})"

    return LINK.sub(rewrite, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace links to sounds by players, and formulas by MathML."""
    html = SOUND.sub(r'<audio controls preload="none" src="\1"></audio>', html)
    return FORMULA.sub(_math, html)


def _math(formula: re.Match[str]) -> str:
    text = formula[2].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    if formula[1] == "span":
        return convert(text)
    return f'<div class="formula">{convert(text, display="block")}</div>'
