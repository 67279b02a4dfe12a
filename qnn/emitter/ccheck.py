# SPDX-License-Identifier: MIT
"""Proof by parsing that emitted C is integer-only: pycparser reads it and every forbidden construct is an error."""

from __future__ import annotations

import re
from collections.abc import Callable

from pycparser import c_ast
from pycparser.c_parser import CParser, ParseError

from qnn.errors import QnnError

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|.)*$", re.MULTILINE)
LINKAGE = re.compile(r'#ifdef __cplusplus\n(?:extern "C" \{|\})\n#endif\n')
INITIALIZER = re.compile(r"(\[\d+\] = )\{\n([^{}]*)\n\};")
INTEGERS = re.compile(r"-?\d+(?:,\n?-?\d+)*\Z")
FLOATING = re.compile(r"\b(?:float|double|_Complex)\b|\b\d+\.\d*|\B\.\d+|\b\d+[eE][+-]?\d+|\b0[xX][0-9a-fA-F.]*[pP]")
ATTRIBUTE = re.compile(r"\b\w+_(?:INLINE|KERNEL|SHARED|SMALL|BLOCK)\b")
ENTRY = re.compile(r"\b\w+_ENTRY\b")
CONSTANT = re.compile(r"\b\w+_(?:CONST|RAM|MEMORY)\b")
PRELUDE = "".join(
    f"typedef {ctype} {name};\n"
    for ctype, name in (
        ("signed char", "int8_t"),
        ("unsigned char", "uint8_t"),
        ("short", "int16_t"),
        ("unsigned short", "uint16_t"),
        ("int", "int32_t"),
        ("unsigned int", "uint32_t"),
        ("long long", "int64_t"),
        ("unsigned long long", "uint64_t"),
        ("unsigned int", "uintptr_t"),
    )
)


def check_c(text: str, name: str) -> None:
    """Raises QnnError naming the construct if the header `text` of model `name` is more than bounded integer code.

    Forbidden: floating types and literals (macros included), division or remainder by anything but a constant,
    recursion, calls of functions that the header does not define (so no heap), goto, and loops other than
    `for` with a condition on a variable that the loop's step changes.
    """
    bare = COMMENT.sub(" ", text)
    match = FLOATING.search(bare)
    if match:
        raise _error(name, f"the floating-point token {match.group()!r}")
    bare = ENTRY.sub("", bare)
    code = ATTRIBUTE.sub("static inline", CONSTANT.sub("static const", DIRECTIVE.sub("", LINKAGE.sub("", bare))))
    try:
        tree = CParser().parse(PRELUDE + INITIALIZER.sub(_shorten(name), code), name)
    except ParseError as error:
        raise _error(name, f"text that does not parse ({error})") from None
    visitor = _Forbidden(name)
    visitor.visit(tree)
    _check_calls(name, visitor)


def _shorten(name: str) -> Callable[[re.Match[str]], str]:
    """The replacement of an array initializer: proven to be integers here, since parsing fifty thousand takes long."""

    def replace(match: re.Match[str]) -> str:
        if not INTEGERS.match(match.group(2)):
            raise _error(name, "an array initializer that is not a list of integers")
        return f"{match.group(1)}{{0}};"

    return replace


class _Forbidden(c_ast.NodeVisitor):
    """Collects each function's calls and raises on forbidden constructs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.function = ""
        self.calls: dict[str, set[str]] = {}

    def visit_FuncDef(self, node: c_ast.FuncDef) -> None:  # noqa: N802
        self.function = node.decl.name
        self.calls[self.function] = set()
        self.generic_visit(node)

    def visit_FuncCall(self, node: c_ast.FuncCall) -> None:  # noqa: N802
        if not isinstance(node.name, c_ast.ID):
            raise _error(self.name, f"a call through a pointer in {self.function}")
        self.calls[self.function].add(node.name.name)
        self.generic_visit(node)

    def visit_BinaryOp(self, node: c_ast.BinaryOp) -> None:  # noqa: N802
        self._check_division(node.op, node.right)
        self.generic_visit(node)

    def visit_Assignment(self, node: c_ast.Assignment) -> None:  # noqa: N802
        self._check_division(node.op.rstrip("="), node.rvalue)
        self.generic_visit(node)

    def visit_Constant(self, node: c_ast.Constant) -> None:  # noqa: N802
        if "float" in node.type or "double" in node.type:
            raise _error(self.name, f"the constant {node.value} in {self.function}")

    def visit_For(self, node: c_ast.For) -> None:  # noqa: N802
        if node.cond is None or node.next is None or not _names(node.cond) & _changed(node.next):
            raise _error(self.name, f"a loop without a counted end in {self.function}")
        self.generic_visit(node)

    def visit_While(self, node: c_ast.While) -> None:  # noqa: N802
        raise _error(self.name, f"a while loop in {self.function}")

    def visit_DoWhile(self, node: c_ast.DoWhile) -> None:  # noqa: N802
        raise _error(self.name, f"a do loop in {self.function}")

    def visit_Goto(self, node: c_ast.Goto) -> None:  # noqa: N802
        raise _error(self.name, f"a goto in {self.function}")

    def _check_division(self, operator: str, divisor: c_ast.Node) -> None:
        if operator in ("/", "%") and not isinstance(divisor, c_ast.Constant):
            raise _error(self.name, f"a division by a variable in {self.function}")


def _names(node: c_ast.Node) -> set[str]:
    own = {node.name} if isinstance(node, c_ast.ID) else set()
    return own.union(*(_names(child) for _, child in node.children()))


def _changed(node: c_ast.Node) -> set[str]:
    """The variables that a loop's step assigns or counts."""
    if isinstance(node, c_ast.Assignment):
        return _names(node.lvalue)
    if isinstance(node, c_ast.UnaryOp) and node.op in ("p++", "p--", "++", "--"):
        return _names(node.expr)
    return set().union(*(_changed(child) for _, child in node.children()))


def _check_calls(name: str, visitor: _Forbidden) -> None:
    known = ("TRACE", "ALIGNED", "ORDER", "OPAQUE", "BRANCH", "HIDE", "READ", "READ_FLASH", "FETCH", "OPENED")
    macros = {f"{name}_{macro}" for macro in known}
    for function, called in visitor.calls.items():
        for callee in sorted(called - visitor.calls.keys() - macros):
            raise _error(name, f"a call of {callee} in {function}")
    reachable = {function: set(called) for function, called in visitor.calls.items()}
    for middle in reachable:
        for callees in reachable.values():
            if middle in callees:
                callees |= reachable[middle]
    for function, called in reachable.items():
        if function in called:
            raise _error(name, f"recursion in {function}")


def _error(name: str, what: str) -> QnnError:
    return QnnError(f"{name}.h", f"the generated C contains {what}", "report this as a bug of qnn")
