"""The rules of docs/architecture.md, checked on syntax trees: import order, cycles, unsafe calls,
documentation.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from helpers.tiny import ROOT

PACKAGE = ROOT / "speechvq"
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TABLE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
# A row of the table is a layer: "| 3 | `config` | description |". A file imports only from lower layers.
LAYERS = [
    {f"speechvq.{name}" for name in re.findall(r"`(\w+)`", row[1])}
    for row in re.findall(r"^\| (\d+) \| (.*?) \|", TABLE, re.MULTILINE)
]
TOP = len(LAYERS) - 1  # the commands, which may call one another
TREES = {name: ast.parse(path.read_text(encoding="utf-8"), str(path)) for name, path in FILES.items()}


def part(module: str) -> str:
    """The part of the package that has a module: its folder below speechvq/, or the module itself."""
    return ".".join(module.split(".")[:2])


def layer(module: str) -> int:
    """Index of the layer of a module; the package's own `__init__` and `__main__` are on the top one."""
    if part(module) in ("speechvq", "speechvq.__main__"):
        return TOP
    return next(level for level, parts in enumerate(LAYERS) if part(module) in parts)


def test_every_module_has_a_layer() -> None:
    parts = {part(module) for module in FILES} - {"speechvq", "speechvq.__main__"}
    assert parts == set().union(*LAYERS)


def test_no_folder_has_more_than_16_files() -> None:
    folders = [path.parent for path in FILES.values()]
    assert max(map(folders.count, folders)) <= 16


def imports(module: str) -> Iterator[str]:
    """Modules of the package that a module imports, also inside functions."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: write imports out in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in FILES else str(node.module) for name in names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "speechvq" and name != module)


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """All calls, with the source text of the called function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("module", FILES)
def test_a_file_imports_only_from_lower_layers(module: str) -> None:
    for imported in imports(module):
        assert imported in FILES, f"{module} imports {imported}, which does not exist"
        if part(imported) in (part(module), "speechvq"):
            continue
        assert layer(imported) < layer(module) or layer(module) == TOP, f"{module} imports {imported}"


def test_speech_and_images_do_not_import_each_other() -> None:
    parts = {part(module): {part(name) for name in imports(module)} for module in FILES}
    assert "speechvq.images" not in parts.get("speechvq.speech", set())
    assert "speechvq.speech" not in parts.get("speechvq.images", set()) | parts.get("speechvq.video", set())


def test_there_are_no_import_cycles() -> None:
    graph = {module: set(imports(module)) & FILES.keys() for module in FILES}
    while leaves := {module for module, needed in graph.items() if not needed}:
        graph = {module: needed - leaves for module, needed in graph.items() if module not in leaves}
    assert not graph, f"import cycles among {sorted(graph)}"


RECIPES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"), str(path))
    for path in sorted((ROOT / "recipes").rglob("*.py"))
}


@pytest.mark.parametrize("module", [*FILES, *RECIPES])
def test_no_call_executes_code_from_a_file(module: str) -> None:
    """No pickle, torch.load, yaml.load, eval, shell or extractall without a filter."""
    tree = TREES[module] if module in TREES else RECIPES[module]
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            source = getattr(node, "module", None) or ""
            names = {alias.name for alias in node.names} | {source}
            assert not names & {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}, (
                module
            )
            assert source not in ("yaml", "torch.serialization") or not names & {
                "load",
                "unsafe_load",
                "Loader",
            }
    for name, call in calls(tree):
        where = f"{module}:{call.lineno}: {name}"
        assert name not in ("eval", "exec", "compile", "__import__", "os.system", "os.popen"), where
        assert name not in ("torch.load", "torch.save", "yaml.load", "yaml.unsafe_load", "yaml.full_load"), (
            where
        )
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert keywords.get("shell") in (None, "False"), where
        assert keywords.get("allow_pickle") in (None, "False"), where
        assert not name.endswith(".extractall") or keywords.get("filter") == "'data'", where
        assert name not in ("np.load", "numpy.load") or keywords.get("allow_pickle") == "False", where


def public(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Public classes and functions of a module and public methods of public classes, without overloads."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node.name, node
            for inner in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    if "overload" not in map(ast.unparse, inner.decorator_list):
                        yield f"{node.name}.{inner.name}", inner


@pytest.mark.parametrize("module", FILES)
def test_every_module_and_public_name_is_documented(module: str) -> None:
    assert ast.get_docstring(TREES[module]), f"{module} has no docstring"
    assert [name for name, node in public(TREES[module]) if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("module", FILES)
def test_every_public_function_has_full_type_hints(module: str) -> None:
    """Except for kernels that numba compiles, whose types come from the first call."""
    incomplete = []
    for name, node in public(TREES[module]):
        compiled = any(
            re.match("njit|intrinsic", ast.unparse(decorator)) for decorator in node.decorator_list
        )
        if isinstance(node, ast.FunctionDef) and not compiled:
            spread = [argument for argument in (node.args.vararg, node.args.kwarg) if argument]
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, *spread]
            unhinted = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
            if unhinted or node.returns is None:
                incomplete.append(f"{name}({', '.join(unhinted)})")
    assert incomplete == []
