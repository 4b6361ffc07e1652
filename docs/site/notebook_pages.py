"""Notebooks kept as Python text (jupytext, py:percent), executed and written as Markdown with outputs."""

import base64
import hashlib
import re
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from nbformat import NotebookNode

TIMEOUT = 300  # seconds per cell; both notebooks take 20 seconds of processor time


def notebook_page(notebook: Path, root: Path) -> str:
    """Markdown of a notebook that was executed in the repository root.

    The result is kept in build/notebooks until the text of the notebook changes.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
        RuntimeError: a shell command fails.
    """
    text = notebook.read_text(encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    cached = root / "build" / "notebooks" / f"{notebook.stem}-{digest}.md"
    if not cached.exists():
        page = jupytext.reads(text, fmt="py:percent")
        resources = {"metadata": {"path": str(root)}}
        NotebookClient(page, timeout=TIMEOUT, kernel_name="python3", resources=resources).execute()
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_text(_markdown(page, notebook), encoding="utf-8")
    return cached.read_text(encoding="utf-8")


def _markdown(page: NotebookNode, notebook: Path) -> str:
    """Markdown with images inside, below a line that names the source."""
    page.cells = [cell for cell in page.cells if cell.source.strip()]
    for cell in page.cells:
        if cell.cell_type == "code":
            cell.outputs = _clean(cell.outputs)
            for output in cell.outputs:
                if re.search(r"error: |No module named", output.get("text", "")):  # of a shell command
                    raise RuntimeError(f"{notebook}: {output.text}")
    markdown, resources = MarkdownExporter().from_notebook_node(page)
    for name, data in resources["outputs"].items():
        url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
        markdown = markdown.replace(f"({name})", f"({url})")
    path = f"docs/notebooks/{notebook.name}"
    note = f"*The source of this page is `{path}`. `jupytext --to ipynb {path}` makes a notebook of it.*"
    return re.sub(r"^(# .*)$", rf"\1\n\n{note}", markdown, count=1, flags=re.MULTILINE)


def _clean(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs without logs and progress bars; consecutive lines of text are joined."""
    kept: list[NotebookNode] = []
    for output in outputs:
        if output.get("name") == "stderr":
            continue
        if kept and "text" in output and "text" in kept[-1]:
            kept[-1].text += output.text
        else:
            kept.append(output)
    for output in kept:
        if "text" in output:
            lines = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", output.text).replace("\r\n", "\n").split("\n")
            output.text = "\n".join(line.rsplit("\r", 1)[-1].rstrip() for line in lines).strip("\n")
    return kept
