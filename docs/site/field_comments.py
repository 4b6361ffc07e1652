"""Extension of griffe: comments on the fields of a dataclass or NamedTuple become a table of its fields.

A comment stands on the lines above a field, or at the end of its line.
"""

import ast
import io
import tokenize

import griffe


class FieldComments(griffe.Extension):
    """Appends a section "Attributes" to the docstrings of classes with commented fields."""

    def on_class_members(self, *, cls: griffe.Class, **options: object) -> None:
        """Describe every field that has a comment and no docstring."""
        if cls.docstring is None:
            return
        cls.docstring.value = cls.docstring.value.replace("\nBuffers:\n", "\nAttributes:\n")
        if "Attributes:" in cls.docstring.value:
            return
        lines = cls.lines_collection[cls.filepath]
        rows = []
        for name, field in cls.attributes.items():
            if name.isupper() or field.docstring or not field.lineno or not field.annotation:
                continue
            comment = field_comment(lines, field.lineno, field.endlineno or field.lineno)
            if text := f"{comment} {default_of(field)}".strip():
                rows.append(f"    {name}: {text[0].upper()}{text[1:]}")
        if rows:
            cls.docstring.value += "\n\nAttributes:\n" + "\n".join(rows)


def field_comment(lines: list[str], first: int, last: int) -> str:
    """Comment of the field on lines `first` to `last`, counted from 1, as a sentence; "" if there is none."""
    found = _trailing_comments("\n".join(lines[first - 1 : last]))
    if not found:
        for line in reversed(lines[: first - 1]):
            if not line.strip().startswith("#"):
                break
            found.insert(0, line)
    text = " ".join(each.strip().lstrip("# ") for each in found)
    return text if not text or text.endswith(".") else f"{text}."


def default_of(field: griffe.Attribute) -> str:
    """The default of a field as a sentence, with its range if it has one."""
    if field.value is None:
        return ""
    node = ast.parse(str(field.value), mode="eval").body
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "bounded":
        low, high, *default = map(ast.unparse, node.args)
        return f"Default: `{default[0]}`. " * bool(default) + f"Range: `{low}` to `{high}`."
    return f"Default: `{ast.unparse(node)}`."


def _trailing_comments(statement: str) -> list[str]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(f"{statement.strip()}\n").readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    return [token.string for token in tokens if token.type == tokenize.COMMENT]
