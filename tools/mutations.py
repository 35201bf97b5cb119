"""Mutants of a module: copies with one small error in each, of the kinds that a programmer makes.

Operators exchanged, signs and terms dropped, comparisons and conditions turned, constants, axes and bounds off by one,
arguments swapped or left out, statements forgotten, names of the same family exchanged. What an error says is left
alone, and so are docstrings, imports and ``__all__``.
"""

import ast
import re
from dataclasses import dataclass

__all__ = ["Mutant", "mutants_of"]

OPERATORS = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "%": "//", "**": "*", "@": "*", "&": "|", "|": "&"}
COMPARISONS = {
    "<": ("<=", ">="),
    ">": (">=", "<="),
    "<=": ("<", ">"),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "is not": ("is",),
    "is": ("is not",),
    "not in": ("in",),
    "in": ("not in",),
}
SYMMETRIC = {"max", "min", "maximum", "minimum", "add", "multiply", "result_type", "array_equal", "may_share_memory"}
RELATIVES = {
    "maximum": "minimum",
    "minimum": "maximum",
    "max": "min",
    "min": "max",
    "sum": "mean",
    "mean": "sum",
    "zeros": "ones",
    "ones": "zeros",
    "add": "subtract",
    "argmax": "argmin",
    "argmin": "argmax",
    "var": "std",
    "any": "all",
    "all": "any",
}
LEFT_OUT = {
    "sqrt",
    "abs",
    "exp",
    "log",
    "copy",
    "ascontiguousarray",
    "ceil",
    "floor",
    "round",
    "int",
    "sorted",
    "reversed",
    "asarray",
    "T",
}


@dataclass(frozen=True)
class Mutant:
    """One small error in a module.

    Attributes
    ----------
    path : str
        The module's file, from the project's folder.
    function : str
        Where the error is: ``adam``, ``FullyConnectedNet.loss``, ``<module>``.
    first, last : int
        The lines of the function.
    line : int
    before, after : str
        The lines that the error changes, as they were and as they are.
    number : int
        From 0, counts mutants of a function which ``before`` and ``after`` cannot tell apart.
    source : str
        The whole module, with the error.
    """

    path: str
    function: str
    first: int
    last: int
    line: int
    before: str
    after: str
    number: int
    source: str

    @property
    def name(self):
        """Names the mutant whatever happens to the rest of the module."""
        twin = f" ({self.number + 1})" if self.number else ""
        return f"{self.line_name} → {self.after}{twin}"

    @property
    def line_name(self):
        """What all mutants of a line are called together."""
        return f"{self.path} {self.function}: {self.before}"


def mutants_of(path, source):
    """All mutants of a module, in the order of its lines.

    Parameters
    ----------
    path : str
        From the project's folder; names the module.
    source : str

    Returns
    -------
    list of Mutant
    """
    tree = ast.parse(source)
    text = source.encode()
    line_starts = [0]
    for line in text.splitlines(keepends=True):
        line_starts.append(line_starts[-1] + len(line))

    def place(node):
        return line_starts[node.lineno - 1] + node.col_offset, line_starts[node.end_lineno - 1] + node.end_col_offset

    errors = _Errors(lambda start, end: text[start:end].decode(), place)
    errors.visit(tree)
    original = ast.dump(tree)
    mutants, seen, numbers = [], {original}, {}
    for start, end, replacement, function in sorted(errors.found, key=lambda error: error[:2]):
        mutated = (text[:start] + replacement.encode() + text[end:]).decode()
        try:
            dump = ast.dump(ast.parse(mutated))
        except SyntaxError:
            continue
        if dump in seen:
            continue
        seen.add(dump)
        line = text.count(b"\n", 0, start) + 1
        first_byte = text.rfind(b"\n", 0, start) + 1
        last_byte = text.find(b"\n", end)
        before = _squeeze(text[first_byte:last_byte].decode())
        after = _squeeze((text[first_byte:start] + replacement.encode() + text[end:last_byte]).decode())
        name, first, last = function
        number = numbers[name, before, after] = numbers.get((name, before, after), -1) + 1
        mutants.append(Mutant(path, name, first, last or source.count("\n"), line, before, after, number, mutated))
    return mutants


def _squeeze(lines):
    return re.sub(r"\s+", " ", lines).strip()


class _Errors(ast.NodeVisitor):
    """Collects errors as (start, end, replacement, function): bytes of the source, and what to write instead."""

    def __init__(self, text, place):
        self.text = text
        self.place = place
        self.found = []
        self.functions = [("<module>", 1, None)]

    def add(self, start, end, replacement):
        self.found.append((start, end, replacement, self.functions[-1]))

    def replace(self, node, replacement):
        self.add(*self.place(node), replacement)

    def source(self, node):
        return self.text(*self.place(node))

    def operand(self, node):
        """The source of an expression, as it can stand anywhere."""
        whole = isinstance(node, (ast.Name, ast.Constant, ast.Call, ast.Subscript, ast.Attribute))
        return self.source(node) if whole else f"({self.source(node)})"

    def between(self, left, right, old, new):
        """Exchange the operator that stands between two operands."""
        start, end = self.place(left)[1], self.place(right)[0]
        comment_or_old = rf"#.*|(?<![\w*/=<>!]){re.escape(old)}(?![\w*/=])"
        self.add(
            start,
            end,
            re.sub(comment_or_old, lambda found: found[0] if found[0][0] == "#" else new, self.text(start, end)),
        )

    def operator_between(self, left, right):
        gap = self.text(self.place(left)[1], self.place(right)[0])
        return re.sub(r"\s+", " ", re.sub(r"#.*|[()\\]", " ", gap)).strip()

    def visit_FunctionDef(self, node):
        outer = self.functions[-1]
        name = node.name if outer[0] == "<module>" else f"{outer[0]}.{node.name}"
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        self.functions.append((name, first, node.end_lineno))
        for child in [*node.decorator_list, node.args, *_without_docstring(node.body)]:
            self.visit(child)
        self.functions.pop()

    def visit_ClassDef(self, node):
        outer = self.functions[-1]
        name = node.name if outer[0] == "<module>" else f"{outer[0]}.{node.name}"
        self.functions.append((name, node.lineno, node.end_lineno))
        for child in _without_docstring(node.body):
            self.visit(child)
        self.functions.pop()

    def visit_Module(self, node):
        for child in _without_docstring(node.body):
            self.visit(child)

    def visit_Import(self, node):
        pass

    visit_ImportFrom = visit_JoinedStr = visit_Import

    def visit_arg(self, node):
        pass

    def visit_Assign(self, node):
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            return
        if not isinstance(node.targets[0], (ast.Name, ast.Tuple)):
            self.replace(node, "pass")
        self.generic_visit(node)

    def visit_Raise(self, node):
        self.replace(node, "pass")

    def visit_Break(self, node):
        self.replace(node, "continue")

    def visit_Continue(self, node):
        self.replace(node, "break")

    def visit_Expr(self, node):
        if isinstance(node.value, ast.Call):
            self.replace(node, "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        operator = self.operator_between(node.target, node.value).rstrip("=")
        start, end = self.place(node.target)[1], self.place(node.value)[0]
        gap = self.text(start, end)
        self.add(start, end, gap.replace(f"{operator}=", f"{OPERATORS[operator]}=", 1))
        self.add(start, end, gap.replace(f"{operator}=", "=", 1))
        self.replace(node, "pass")
        self.generic_visit(node)

    def visit_BinOp(self, node):
        operator = self.operator_between(node.left, node.right)
        if operator in OPERATORS and not isinstance(node.left, (ast.JoinedStr, ast.List)):
            self.between(node.left, node.right, operator, OPERATORS[operator])
            self.replace(node, self.operand(node.left))
            self.replace(node, self.operand(node.right))
            if operator in ("-", "/", "//", "**", "@", "%"):
                self.replace(node, f"({self.operand(node.right)} {operator} {self.operand(node.left)})")
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
            self.replace(node, self.operand(node.operand))
        self.generic_visit(node)

    def visit_Compare(self, node):
        for left, right in zip([node.left, *node.comparators], node.comparators):
            operator = self.operator_between(left, right)
            for other in COMPARISONS.get(operator, ()):
                self.between(left, right, operator, other)
        # A letter more among those that something is looked for, as in `kind in "iu"`, changes nothing.
        letters = [right for op, right in zip(node.ops, node.comparators) if isinstance(op, (ast.In, ast.NotIn))]
        for operand in [node.left, *node.comparators]:
            if not (operand in letters and isinstance(operand, ast.Constant)):
                self.visit(operand)

    def visit_BoolOp(self, node):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:]):
            self.between(left, right, old, new)
        for dropped in node.values:
            rest = [self.operand(value) for value in node.values if value is not dropped]
            self.replace(node, rest[0] if len(rest) == 1 else f"({f' {old} '.join(rest)})")
        self.generic_visit(node)

    def visit_If(self, node):
        # A comparison is turned by itself.
        if not isinstance(node.test, (ast.Compare, ast.UnaryOp)):
            self.replace(node.test, f"not {self.operand(node.test)}")
        self.generic_visit(node)

    visit_While = visit_If

    def visit_IfExp(self, node):
        body, test, orelse = (self.operand(part) for part in (node.body, node.test, node.orelse))
        self.replace(node, f"({orelse} if {test} else {body})")
        self.generic_visit(node)

    def visit_Call(self, node):
        function = self.source(node.func)
        name = function.rsplit(".", 1)[-1]
        arguments = [self.source(argument) for argument in node.args]
        keywords = [self.source(keyword) for keyword in node.keywords]
        if not any(isinstance(argument, ast.Starred) for argument in node.args) and name not in SYMMETRIC:
            for i in range(len(arguments) - 1):
                swapped = [*arguments[:i], arguments[i + 1], arguments[i], *arguments[i + 2 :]]
                self.replace(node, f"{function}({', '.join(swapped + keywords)})")
        for keyword in keywords:
            rest = [other for other in keywords if other is not keyword]
            self.replace(node, f"{function}({', '.join(arguments + rest)})")
        if name in LEFT_OUT and len(arguments) == 1:
            self.replace(node, self.operand(node.args[0]))
        if name == "copy" and not arguments and isinstance(node.func, ast.Attribute):
            self.replace(node, self.operand(node.func.value))
        if name in RELATIVES:
            start, end = self.place(node.func)
            self.add(end - len(name), end, RELATIVES[name])
        self.generic_visit(node)

    def visit_Attribute(self, node):
        if node.attr == "T":
            self.replace(node, self.operand(node.value))
        self.generic_visit(node)

    def visit_Constant(self, node):
        value = node.value
        if isinstance(value, bool):
            self.replace(node, repr(not value))
        elif isinstance(value, int):
            self.replace(node, repr(value + 1))
            if value >= 1:
                self.replace(node, repr(value - 1))
        elif isinstance(value, float):
            self.replace(node, repr(value / 2 if value else 1.0))
        elif isinstance(value, str) and value.isidentifier():
            self.replace(node, repr(value + "_"))


def _without_docstring(body):
    first = body[0]
    return body[1:] if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) else body
