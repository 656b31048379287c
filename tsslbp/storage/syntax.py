"""A file of Python -> a digest of what it does: equal for equal syntax trees, on every Python that the project supports.

Left out is what decides no number: docstrings, comments, annotations and the imports that only they use, the arguments of `raise`,
the messages of `assert`, blocks for the type checker, the order of imports, line ends. The tree is written out here and not by
`ast.dump`, whose text differs between versions of Python.
"""

import ast
import hashlib
import itertools
import json
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

_UNSAID = frozenset({"annotation", "returns", "type_comment", "type_params", "type_ignores", "kind", "ctx"})
"""Fields of a tree that decide nothing, or that some versions of Python do not have."""


@lru_cache(maxsize=1000)  # asked for every model of a pipeline, and nearly all of them use the same files
def source_meaning(source: bytes, *, is_index: bool = False) -> str:
    """Return the digest of what a file does, 64 hex digits.

    Args:
        source: the file's content.
        is_index: whether it lists others, so that its imports and `__all__` are left out.

    Raises:
        SyntaxError: it is not Python.

    >>> source_meaning(b"def f(x):\\n    return x") == source_meaning(b'def f(x: int) -> int:\\n    "Same."\\n    return x  # as it is')
    True
    """
    tree = parse(source)
    unused = _names(tree) | _typing_names(tree)
    tree = _Bare().visit(tree)
    if is_index:
        tree.body = [node for node in tree.body if not _lists(node)]
    unused -= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return hashlib.sha256(json.dumps(_form(tree, unused), sort_keys=True).encode()).hexdigest()


def parse(source: bytes) -> ast.Module:
    """Return the syntax tree of a file, without the warnings that Python has about it.

    Raises:
        SyntaxError: it is not Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            return ast.parse(source)
        except ValueError as error:  # a byte of value zero, in some versions
            raise SyntaxError(str(error)) from None


def _lists(node: ast.stmt) -> bool:
    """Whether a statement of a package's index only names what is elsewhere."""
    is_all = isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["__all__"]
    return is_all or isinstance(node, ast.Import | ast.ImportFrom)


class _Bare(ast.NodeTransformer):
    """Takes out of a tree what decides no number."""

    def __init__(self) -> None:
        self._in_class = False

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop docstrings, and whatever else is a constant by itself."""
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Pass(self, _: ast.Pass) -> None:
        """Drop it: a body that has lost its docstring may be empty, too."""

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Keep what is raised, not what it says."""
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """Drop the message."""
        node.msg = None
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> Any:
        """Drop what is for the type checker alone."""
        name = node.test.attr if isinstance(node.test, ast.Attribute) else getattr(node.test, "id", "")
        if name != "TYPE_CHECKING":
            return self.generic_visit(node)
        return self.generic_visit(ast.Module(node.orelse, [])).body  # type: ignore[attr-defined]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Keep it in a class, where it may declare a field; elsewhere it is an assignment, or nothing."""
        if self._in_class:
            return self.generic_visit(node)
        return None if node.value is None else self.generic_visit(ast.Assign([node.target], node.value))

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Note that this is a class."""
        return self._within(node, True)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Note that this is not a class."""
        return self._within(node, False)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Note that this is not a class."""
        return self._within(node, False)

    def _within(self, node: ast.AST, in_class: bool) -> ast.AST:
        before, self._in_class = self._in_class, in_class
        node = self.generic_visit(node)
        self._in_class = before
        return node


def _typing_names(tree: ast.AST) -> set[str]:
    """What is imported for annotations: who imports these modules has no other use for them."""
    sources = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module in ("typing", "collections.abc")]
    return {alias.asname or alias.name for node in sources for alias in node.names}


def _names(tree: ast.AST) -> set[str]:
    """Every name that a tree mentions, those in annotations that are strings among them."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            for part in ast.walk(annotation) if annotation else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    found |= _names_of(part.value)
    return found


def _names_of(annotation: str) -> set[str]:
    try:
        return _names(ast.parse(annotation, mode="eval"))
    except (SyntaxError, ValueError):  # as in Literal["not a name"]
        return set()


def _form(node: object, unused: set[str]) -> Any:
    """A bare tree as JSON; imports of names that are `unused` are left out."""
    if isinstance(node, ast.Constant):
        return _constant(node.value)
    if isinstance(node, ast.JoinedStr):
        return ["text", *_pieces(node, unused)]
    if isinstance(node, ast.AST):
        # What is absent is left out, so that a field which a later Python adds changes nothing.
        fields = {name: value for name, value in ast.iter_fields(node) if name not in _UNSAID and value is not None and value != []}
        return {"": type(node).__name__} | {name: _form(value, unused) for name, value in fields.items()}
    if isinstance(node, list):
        return _list(node, unused)
    return node


def _constant(value: object) -> list[str]:
    """The type and value of a constant, in characters that no version of Python writes differently."""
    if isinstance(value, float):
        return ["float", value.hex()]
    if isinstance(value, complex):
        return ["complex", value.real.hex(), value.imag.hex()]
    if isinstance(value, int) and not isinstance(value, bool):
        return ["int", hex(value)]
    return [type(value).__name__, value.hex() if isinstance(value, bytes) else str(value)]


def _pieces(node: ast.JoinedStr, unused: set[str]) -> Iterator[Any]:
    """The parts of an f-string; in a nested format some versions of Python have empty ones."""
    return (_form(part, unused) for part in node.values if not (isinstance(part, ast.Constant) and part.value == ""))


def _list(nodes: Sequence[object], unused: set[str]) -> list[Any]:
    """The parts of a list in their order, but imports that stand side by side sorted."""
    parts: list[Any] = []
    for are_imports, group in itertools.groupby(nodes, lambda node: isinstance(node, ast.Import | ast.ImportFrom)):
        if are_imports:
            parts += sorted(name for node in group for name in _imported(node, unused))
        else:
            parts += [_form(node, unused) for node in group]
    return parts


def _imported(node: Any, unused: set[str]) -> Iterator[list[str]]:
    """What an import statement binds, an entry for each name."""
    source = f"{'.' * node.level}{node.module or ''}" if isinstance(node, ast.ImportFrom) else ""
    for alias in node.names:
        if source != "__future__" and (alias.asname or alias.name.partition(".")[0]) not in unused:
            yield ["import", source, alias.name, alias.asname or ""]
