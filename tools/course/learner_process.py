"""The process that runs a learner's code: it computes what the judge asks for, and judges nothing.

Started by :mod:`tools.course.learner` with the folder of the learner's workbook.
"""

import ast
import contextlib
import importlib
import linecache
import os
import re
import symtable
import sys
import traceback
import types
from pathlib import Path

import wire

ALTERED = re.compile(r"(\w+)(?:\[.*?\])?\s*[-+*/%@&|^<>]*=(?!=)")  # the name that a line of code assigns to
MAGIC = re.compile(r"\s*%%(time|timeit|capture|prun)\b.*\n")


class StandIn(types.ModuleType):
    """Takes the place of a module that cannot be loaded: whatever is called in it raises the error again."""

    def __init__(self, name, file, error):
        super().__init__(name)
        text = file.read_text(encoding="utf-8", errors="replace")
        self.__file__, self.error = str(file), error
        self.__all__ = re.findall(r"^(?:def|class) ([a-zA-Z]\w*)", text, re.MULTILINE)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def unloadable(*args, **kwargs):
            raise self.error

        return unloadable


class Learner:
    """A learner's code, and the objects it has made.

    Parameters
    ----------
    root : Path
        The learner's workbook.
    """

    def __init__(self, root):
        self.root = root
        self.objects = []
        self.lessons = {}

    def keep(self, value):
        self.objects.append(value)
        return {"handle": len(self.objects) - 1, "kinds": [kind.__name__ for kind in type(value).__mro__]}

    def find(self, number, kinds):
        return self.objects[number]

    def answer(self, do, **details):
        """What a request asks for, encoded."""
        return getattr(self, f"do_{do}")(**{name: wire.decode(tree, self.find) for name, tree in details.items()})

    def do_echo(self, value):
        return wire.encode(value, self.keep)

    def do_call(self, target, args, kwargs):
        """The result of a function, and its arguments that are dictionaries, which it may have filled in."""
        function = self.function(target) if isinstance(target, str) else target
        result = function(*args, **kwargs)
        if isinstance(target, str) and "_forward" in target and isinstance(result, tuple) and len(result) == 2:
            tree = {"tuple": [wire.encode(result[0], self.keep), self.keep(result[1])]}  # whatever the cache holds
        else:
            tree = wire.encode(result, self.keep)
        filled = [wire.encode(value, self.keep) if isinstance(value, dict) else None for value in args]
        return {"list": [tree, {"list": filled}]}

    def do_net(self, target, args, kwargs):
        net = self.function(target)(*args, **kwargs)
        return {"list": [self.keep(net), wire.encode(dict(net.params), self.keep)]}

    def do_attribute(self, object, name):
        return wire.encode(getattr(object, name), self.keep)

    def do_loss(self, net, params, args):
        for name, value in params.items():
            net.params[name] = value
        return wire.encode(net.loss(*args), self.keep)

    def do_open(self, lesson):
        """Read a lesson, and import what its cells are about to need: both take seconds."""
        importlib.import_module("torch")

        self.lessons[lesson] = Cells(self.root / "notebooks" / f"{lesson}.ipynb")

    def do_definition(self, lesson, name):
        return wire.encode(self.lessons[lesson].definition(name), self.keep)

    def do_parameters(self, module):
        return wire.encode([value.detach() for value in module.parameters()], self.keep)

    def do_gradients(self, function, args):
        """The gradient of each tensor in the last argument, a list, for the sum of the result."""
        function(*args).sum().backward()
        return wire.encode([tensor.grad for tensor in args[-1]], self.keep)

    def function(self, target):
        """What ``"module:name"`` names."""
        module, name = target.split(":")
        return getattr(self.load(module), name)

    def load(self, name):
        """Import a module. Where one that it needs cannot be loaded, a stand-in takes its place."""
        while True:
            try:
                return importlib.import_module(name)
            except BaseException as error:
                file = self.place_of(error)
                package = self.root / "cs231n"
                if file is None or file.name == "__init__.py" or package not in file.parents:
                    raise
                broken = ".".join(file.relative_to(self.root).with_suffix("").parts)
                if isinstance(sys.modules.get(broken), StandIn):
                    raise
                for loaded in [loaded for loaded in sys.modules if loaded.startswith("cs231n")]:
                    if not isinstance(sys.modules[loaded], StandIn):
                        del sys.modules[loaded]
                sys.modules[broken] = StandIn(broken, file, error)

    def place_of(self, error):
        """The learner's module that an import failed in."""
        if isinstance(error, SyntaxError) and error.filename:
            return Path(error.filename)
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name == "<module>"]
        files = [Path(frame.f_code.co_filename) for frame in frames]
        return next((file for file in reversed(files) if self.root in file.parents), None)

    def describe(self, error):
        """An error in a few words: its type, its message, and the learner's own line it comes from."""
        try:
            message = (str(error).strip().splitlines() or [""])[0]
        except BaseException:
            message = ""
        place = code = ""
        trail = []
        try:
            if isinstance(error, SyntaxError) and error.filename:
                place, code = f"{Path(error.filename).name}, line {error.lineno}", (error.text or "").strip()
                message = error.msg
            else:
                for frame in traceback.extract_tb(error.__traceback__):
                    is_cell = ".ipynb, cell" in frame.filename
                    if is_cell or self.root / "cs231n" in Path(frame.filename).parents:
                        name = frame.filename if is_cell else Path(frame.filename).name
                        place, code = f"{name}, line {frame.lineno}", (frame.line or "").strip()
                        trail.append(f"{place}, in {frame.name}: {code}")
        except BaseException:
            pass
        if message.endswith("read-only") and (altered := ALTERED.match(code)):
            message = f"{altered[1]} must not be altered: it is, or shares memory with, an argument"
        kind = type(error).__name__
        return {"type": str(kind), "message": message[:500], "place": place, "code": code[:200], "trail": trail[-10:]}


class Cells:
    """The cells of a lesson, of which no more is run than a definition needs.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path):
        from IPython.core.inputtransformer2 import TransformerManager

        from tools.lessons.notebook_files import read_notebook

        self.statements, self.errors = [], []
        self.namespace = {}
        cells = [cell for cell in read_notebook(path).cells if cell.cell_type == "code"]
        for number, cell in enumerate(cells, start=1):
            where = f"{path.name}, cell {number}"
            source = MAGIC.sub("", cell.source, count=1) if MAGIC.match(cell.source) else cell.source
            source = TransformerManager().transform_cell(source)
            linecache.cache[where] = len(source), None, source.splitlines(True), where
            try:
                self.statements += [(where, statement) for statement in ast.parse(source, where).body]
            except SyntaxError as error:
                self.errors.append((source, error))

    def definition(self, name):
        """The function or class of this name, with all that it uses."""
        for source, error in self.errors:
            if re.search(rf"^(?:def|class) {name}\b", source, re.MULTILINE):
                raise error
        if not self.run(name, set()):
            raise NameError(f"no cell defines {name}")
        return self.namespace[name]

    def run(self, name, begun):
        """Run the last statement that binds a name, and before it those that bind what it uses."""
        if name in begun:
            return name in self.namespace
        begun.add(name)
        found = [(where, statement) for where, statement in self.statements if name in bound_by(statement)]
        if not found:
            for where, statement in self.statements:
                is_star = isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*"
                if is_star and (where, statement.lineno) not in begun:
                    begun.add((where, statement.lineno))
                    self.execute(where, statement)
            return name in self.namespace
        where, statement = found[-1]
        for used in sorted(globals_of(statement) - {name}):
            with contextlib.suppress(Exception):  # if it is needed, the lack of it says so
                self.run(used, begun)
        self.execute(where, statement)
        return True

    def execute(self, where, statement):
        exec(compile(ast.Module([statement], []), where, "exec"), self.namespace)


def globals_of(statement):
    """Names of the notebook's that a statement uses, when it is run or when what it defines is called."""
    module = symtable.symtable(ast.unparse(statement), "", "exec")
    names, tables = set(), [module]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        is_used = symtable.Symbol.is_referenced if table is module else symtable.Symbol.is_global
        names |= {symbol.get_name() for symbol in table.get_symbols() if is_used(symbol)}
    return names


def bound_by(statement):
    """Names that a definition, an import or an assignment binds."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
        return {name.id for name in names if isinstance(name.ctx, ast.Store)}
    return set()


def main():
    root, judge = map(Path, sys.argv[1:])
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    sys.path[0] = str(root)
    sys.path.append(str(judge))
    os.chdir(root)
    learner = Learner(root)
    while (request := wire.receive(requests)) is not None:
        try:
            reply = {"value": learner.answer(**request)}
        except BaseException as error:  # whatever the learner's code raises
            reply = {"error": learner.describe(error)}
        wire.send(replies, reply)


if __name__ == "__main__":
    main()
