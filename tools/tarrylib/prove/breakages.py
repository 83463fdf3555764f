"""Small breakages anywhere: a comparison turned, a constant off by one, a statement or a condition dropped, a wrong index."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from .sites import Site, blank, closing, names_of

Change = tuple[str, int, int, str]  # rule, offsets, what is put there

# What would reach beyond the scratch copy stays as it is (ends processes, deletes, installs), and what changes no result.
LEFT_ALONE = re.compile(r"kill|rmtree|unlink|rmdir|sudo|apt|setrlimit|popen|dont_write_bytecode", re.IGNORECASE)

TURNED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
          "in": "not in", "not in": "in", "is": "is not", "is not": "is"}


def off_by_one(literal: str, at: int) -> Iterator[tuple[str, str]]:
    """One more or one less, which of the two the place decides; never below zero."""
    digits = literal.rstrip("uUlL")
    value = int(digits, 8) if re.fullmatch(r"0\d+", digits) else int(digits, 0)
    more = not value or hashlib.sha256(f"{literal}{at}".encode()).digest()[0] & 1
    put = value + 1 if more else value - 1
    yield ("constant one more" if more else "constant one less",
           (hex(put) if digits.lower().startswith("0x") else str(put)) + literal[len(digits):])


# --- C -----------------------------------------------------------------------------
DECLARATION = re.compile(r"\s*(?:static |const |extern |unsigned |signed |struct |enum |union |typedef |bool |char |"
                         r"int |long |short |void |size_t |[us]\d+ |[pv]addr_t |_Static_assert)")
NO_STATEMENT = re.compile(r"(?:return|goto|else|do|if|for|while|switch|case|default)\b")


def without_directives(code: str) -> str:
    """Preprocessor lines as spaces, with the lines that they go on in."""
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]), code, flags=re.MULTILINE)


def line_of(code: str, at: int) -> str:
    end = code.find("\n", at)
    return code[code.rfind("\n", 0, at) + 1:end if end >= 0 else len(code)]


def c_comparisons(code: str) -> Iterator[Change]:
    for match in re.finditer(r"(?<= )(?:<=|>=|==|!=|<|>)(?= )", code):
        yield f"{match[0]} to {TURNED[match[0]]}", match.start(), match.end(), TURNED[match[0]]


def c_constants(code: str) -> Iterator[Change]:
    for match in re.finditer(r"(?<![\w.])(?:0x[0-9a-fA-F]+|\d+)[uUlL]*(?![\w.])", code):
        sized = code[match.start() - 1] == "[" and DECLARATION.match(line_of(code, match.start()))
        parameter = sized and code[match.end() + 1:match.end() + 2] in (",", ")")
        for rule, put in off_by_one(match[0], match.start()):
            if not parameter and not (sized and rule == "constant one more"):  # a larger array is no mistake
                yield rule, match.start(), match.end(), put


def c_statements(code: str) -> Iterator[Change]:
    for line in re.finditer(r"^[ \t]+(?=[A-Za-z_*(])", code, re.MULTILINE):
        match = re.compile(r"[^;{}]*;").match(code, line.end())
        if not match or not re.search(r"(?:[;{}):]|\belse)\s*\Z", code[max(0, line.start() - 400):line.start()]):
            continue
        text = match[0]
        if NO_STATEMENT.match(text) or DECLARATION.match(text):
            continue
        if "(" in text or "=" in text or re.search(r"\+\+|--|^continue", text):
            yield "statement dropped", match.start(), match.end(), ";"


def c_conditions(code: str) -> Iterator[Change]:
    for match in re.finditer(r"\b(if|while) (?=\()", code):
        end = closing(code, match.end())
        if match[1] == "if":
            yield "condition taken as true", match.end(), end, "(true)"
        if not code[end:].startswith(";"):
            yield "condition taken as false", match.end(), end, "(false)"


def c_indices(code: str) -> Iterator[Change]:
    for match in re.finditer(r"(?<=[\w\])])\[([^\[\]]*[a-z_][^\[\]]*)\]", code):
        if not DECLARATION.match(line_of(code, match.start())) or "=" in line_of(code, match.start())[:match.start()]:
            yield "index one more", match.start(), match.end(), f"[({match[1]}) + 1]"


def in_c(text: str) -> Iterator[Change]:
    code = without_directives(blank(text))
    for find in c_comparisons, c_constants, c_statements, c_conditions, c_indices:
        yield from find(code)


# --- Python ----------------------------------------------------------------------------
class InPython(ast.NodeVisitor):
    """Collects changes; types, docstrings and what runs on import from elsewhere are left alone."""

    def __init__(self, text: str):
        self.text = text
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.lines = text.splitlines()
        self.found: list[Change] = []

    def offset(self, line: int, column: int) -> int:
        """ast counts columns in bytes."""
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def span(self, node: ast.AST) -> tuple[int, int]:
        return (self.offset(node.lineno, node.col_offset),  # type: ignore[attr-defined]
                self.offset(node.end_lineno, node.end_col_offset))  # type: ignore[attr-defined]

    def add(self, rule: str, span: tuple[int, int], put: str) -> None:
        self.found.append((rule, *span, put))

    def conditions(self, test: ast.expr, rules: str = "true false") -> None:
        for value in rules.split():
            self.add(f"condition taken as {value}", self.span(test), value.capitalize())

    def visit_Compare(self, node: ast.Compare) -> None:
        left = node.left
        for right in node.comparators:
            begin, end = self.span(left)[1], self.span(right)[0]
            match = re.search(r"[<>=!]=?|\b(?:not\s+in|in|is\s+not|is)\b", self.text[begin:end])
            if match:
                turned = TURNED[" ".join(match[0].split())]
                self.add(f"{match[0]} to {turned}", (begin + match.start(), begin + match.end()), turned)
            left = right
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            begin, end = self.span(node)
            for rule, put in off_by_one(self.text[begin:end].replace("_", ""), begin):
                self.add(rule, (begin, end), put)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Load) and isinstance(node.slice, (ast.Name, ast.BinOp)):
            begin, end = self.span(node.slice)
            self.add("index one more", (begin, end), f"({self.text[begin:end]}) + 1")
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if "__name__" not in ast.dump(node.test):
            self.conditions(node.test)
            self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.conditions(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self.conditions(node.test, "false")
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.conditions(test)
        self.generic_visit(node)

    def drop(self, node: ast.stmt) -> None:
        self.add("statement dropped", self.span(node), "pass")
        self.generic_visit(node)

    visit_AugAssign = visit_Raise = visit_Continue = visit_Break = drop

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.drop(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets):
            self.add("statement dropped", self.span(node), "pass")
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in [*node.args.defaults, *node.args.kw_defaults, *node.body]:
            if part:
                self.visit(part)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Left alone: before Python 3.12 the parser does not tell where the parts of an f-string are."""


def in_python(text: str) -> Iterator[Change]:
    visitor = InPython(text)
    visitor.visit(ast.parse(text))
    yield from visitor.found


# --- all ------------------------------------------------------------------------------------
def find_breakages(root: Path, patterns: tuple[str, ...]) -> tuple[list[Site], dict[str, str]]:
    """All sites in these files, and the files' texts. A site's text is its line, its place in it marked."""
    sites: list[Site] = []
    texts: dict[str, str] = {}
    for path in sorted({path for pattern in patterns for path in root.glob(pattern)}):
        name = str(path.relative_to(root))
        text = texts[name] = path.read_text("utf-8")
        for rule, start, end, put in (in_python if path.suffix == ".py" else in_c)(text):
            begin = text.rfind("\n", 0, start) + 1
            marked = f"{text[begin:start]}«{text[start:end]}»{line_of(text, end)[end - text.rfind(chr(10), 0, end) - 1:]}"
            if not LEFT_ALONE.search(marked):
                line = text.count("\n", 0, start) + 1
                sites.append(Site(name, line, rule, start, end, marked, put))
    return sorted(sites, key=lambda s: (s.file, s.start, s.rule)), texts


def in_order(sites: list[Site], seed: int) -> list[tuple[Site, str]]:
    """With their names, in a random order by the seed; a site that changes or goes moves no other."""
    def rank(one: tuple[Site, str]) -> bytes:
        return hashlib.sha256(f"{seed} {one[1]}".encode()).digest()

    return sorted(zip(sites, names_of(sites)), key=rank)
