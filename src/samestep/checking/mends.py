"""The edit that takes a source away, in the user's file and line; and what to do where no line can be mended by rule."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samestep.checking.suspects import DISK, HASH, Suspect
from samestep.checking.trials import THREADS
from samestep.frameworks._watching_tensorflow import GRAPH
from samestep.watching.commands import OUTPUT
from samestep.watching.threads import ONE_THREAD

SCRIPT = "0"
"""The process of the script itself."""
AT_TOP = {
    "random": "import random; random.seed(0)",
    "numpy.random": "import numpy; numpy.random.seed(0)",
    "scikit-learn random_state=None": "import numpy; numpy.random.seed(0)",
    "torch": "import torch; torch.manual_seed(0)",
    "tensorflow.random": "import tensorflow; tensorflow.random.set_seed(0)",
}
"""Lines that seed a generator that all share, to stand before anything else."""
SEEDABLE = (
    "default_rng",
    "RandomState",
    "SeedSequence",
    "Random",
    "PCG64DXSM",
    "PCG64",
    "MT19937",
    "Philox",
    "SFC64",
    "seed",
)
"""What begins with the system's random bits where it is called without an argument, and takes a seed."""
RENAMED = {
    "from_non_deterministic_state": ("from_seed", "0"),
    "imap_unordered": ("imap", None),
    "empty": ("zeros", None),
    "empty_like": ("zeros_like", None),
}
"""Functions whose place another takes; with which arguments, None for the same."""
LISTINGS = ("listdir", "scandir", "glob", "iglob", "iterdir", "rglob")
CLOCKS = ("time.", "datetime.")
"""How the names of clocks begin."""
WORDS = {
    HASH: "run it as PYTHONHASHSEED=0 python {script}; or sorted(…) wherever the order of a set counts, "
    "and hashlib in the place of hash()",
    "memory addresses": "use no id() or default hash() of objects for an order; give them a number of their own",
    "thread timing": "let no result depend on when a thread is done: collect what threads return in the order in which "
    "they were started, count steps in the place of seconds",
    "uninitialised memory": "fill every tensor that is made by torch.empty, torch.Tensor(sizes) or resize_ before it is read",
    "completion order": "take results in the order in which the tasks were given: executor.map, pool.map",
    "thread count": "run it as OMP_NUM_THREADS=1 python {script}; 1 as well where it sets the number of threads itself",
    "nondeterministic kernels": "tf.config.experimental.enable_op_determinism(); "
    "torch.use_deterministic_algorithms(True)",
    "variable race in graph": "tf.control_dependencies: say whether the variable is read before or after it is written",
    "data loader workers": "give the data loader a generator and a worker_init_fn that seed what its workers draw from",
    "os.walk": "sort the names that os.walk gives, in place",
    "directory listing": "sorted(…) around the listing",
    DISK: "delete them before each run, or write them elsewhere: {files}",
    "changed file": "keep the file as it is while the script runs again",
    **dict.fromkeys(("secrets", "random.SystemRandom"), "draw from a generator that has a seed: random.Random(0)"),
    "task assignment": "seed what a task draws from by the task's own number: which worker takes it is chance",
    OUTPUT: "put a fixed value in the place of what the command prints",
    "tempfile": "use no random name for what decides about results",
}
"""What mends a source for which there is no line to be put into its place."""


@dataclass(frozen=True)
class Mend:
    """How a source is taken away. edits: {file: its new text}; variables: of the environment. words: for a person."""

    words: str
    edits: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def applies(self) -> bool:
        """Whether it was, or is only told."""
        return bool(self.edits or self.variables)


def mend(suspect: Suspect, values: list[Any], script: str, texts: dict[str, str], files: str = "") -> Mend:
    """The mend of a cause.

    values: what a trial was given there; a single one may stand for what a clock or the system gives. texts: new
    texts of files so far, to which this one's edit is added. files: names of what is left on disk.
    """
    if any(isinstance(value, list) and GRAPH in value for value in values):
        return Mend(f"{suspect.site}: tf.compat.v1.set_random_seed(0) in the graph, before its first operation")
    if suspect.source in AT_TOP and any(process == SCRIPT for process, _ in suspect.keys or ((SCRIPT, ""),)):
        return _at_top(suspect, script, texts)
    if suspect.source in AT_TOP:
        return Mend(f"{suspect.site}: seed it in each process that is started: {AT_TOP[suspect.source]}")
    if suspect.source == HASH:
        return Mend(WORDS[HASH].format(script=script), variables={"PYTHONHASHSEED": "0"})
    if suspect.switch == ONE_THREAD:
        return Mend(WORDS[suspect.source].format(script=script), variables=THREADS)
    words = WORDS.get(suspect.source, "").format(script=script, files=files)
    return _in_line(suspect, values[0] if len(values) == 1 else None, script, texts, words)


def _at_top(suspect: Suspect, script: str, texts: dict[str, str]) -> Mend:
    line = AT_TOP[suspect.source]
    text = _text(script, texts)
    lines = text.splitlines(keepends=True)
    place = _first_line(text)
    texts[_key(script)] = "".join([*lines[:place], *_before(line, lines[place:])])
    other = "; or random_state=0 in the call" if suspect.source.startswith("scikit") else ""
    return Mend(
        f"{Path(script).name}:{place + 1}: put first: {line.replace('; ', chr(10) + '    ')}{other}", dict(texts)
    )


def _before(line: str, lines: list[str]) -> list[str]:
    """The lines with this one before them: on the first one where that is possible, so that all keep their numbers."""
    try:
        ast.parse(joined := f"{line}; {''.join(lines)}")
    except SyntaxError:
        return [line + "\n", *lines]
    return [joined]


def _first_line(text: str) -> int:
    """The number of lines before the first that may stand elsewhere: the docstring's and those that import from the future."""
    place = 0
    for node in ast.parse(text).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and place == 0
        if not docstring and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            break
        place = node.end_lineno or place
    return place


def _in_line(suspect: Suspect, value: Any, script: str, texts: dict[str, str], words: str) -> Mend:
    """Put another call into the place of the one that is to blame, if it can be found."""
    name, _, number = suspect.site.rpartition(":")
    path = Path(script).resolve().parent / name
    if not number.isdigit() or not path.is_file():
        return Mend(words or _generic(suspect))
    text = _text(str(path), texts)
    shift = text.count("\n") - path.read_text(encoding="utf-8").count("\n")  # a line put first, above
    found = _replaced(text, int(number) + shift, _replacement(suspect, value))
    if found is None:
        return Mend(f"{suspect.site}: {words or _generic(suspect)}")
    texts[_key(str(path))] = found[0]
    old = " ".join(found[1].split())
    return Mend(
        f"{name}:{int(number) + found[3]}: {found[2]} in the place of {old}" + (f"; {words}" if words else ""),
        dict(texts),
    )


def _generic(suspect: Suspect) -> str:
    if suspect.source.startswith(("random.", "numpy.random.")):
        return f"give it a seed: {suspect.source}(0)"
    if suspect.source.endswith(".empty"):
        return f"zeros in the place of {suspect.source}, or fill all of it"
    if suspect.source.startswith("uuid."):
        return "let no name of chance decide about results: number what is named by it, or sort by something else"
    if suspect.source.startswith(CLOCKS):
        return "let no clock decide about results: count steps in the place of seconds, seed with a fixed number"
    return f"put a fixed number in the place of what {suspect.source} gives"


Replacement = Callable[[ast.Call, str, Mapping[str, str]], "str | None"]
"""Of a call, its source and the aliases of its file the text that takes its place, or None for another call."""


def _replacement(suspect: Suspect, value: Any) -> Replacement:
    def replace(call: ast.Call, source: str, names: Mapping[str, str]) -> str | None:
        name = names.get(_name(call), _name(call))
        if name in RENAMED and name == _name(call) and suspect.source != "directory listing":
            new, arguments = RENAMED[name]
            at = source.index(name, len(source) - len(source.lstrip()))
            head = source[:at] + new
            return f"{head}({arguments})" if arguments is not None else head + source[at + len(name) :]
        if suspect.source == "directory listing":
            key = ", key=lambda entry: entry.name" if name == "scandir" else ""
            return f"sorted({source}{key})" if name in LISTINGS else None
        if suspect.source == "completion order":
            return ast.unparse(call.args[0]) if name == "as_completed" and call.args else None
        if suspect.source == "tf.data parallelism":
            return (
                source.replace("deterministic=False", "deterministic=True") if "deterministic=False" in source else None
            )
        if name in SEEDABLE and suspect.source.startswith(("random", "numpy.random")):
            return _seeded(call, given=suspect.seed) if _is_of(suspect.source, name) else None
        if suspect.source in ("torch.seed", "torch.Generator.seed") and isinstance(call.func, ast.Attribute):
            return f"{ast.unparse(call.func.value)}.manual_seed(0).initial_seed()" if name == "seed" else None
        if suspect.source == "time.strftime" and name == "strftime" and isinstance(value, list):
            return f"{ast.unparse(call.func)}({ast.unparse(call.args[0])}, {tuple(value)})"
        owner = ast.unparse(call.func.value).rpartition(".")[2] if isinstance(call.func, ast.Attribute) else ""
        return _constant(suspect.source, name, value, names.get(owner, owner))

    return replace


def _is_of(source: str, name: str) -> bool:
    """Whether a call of this name is one of the source; a generator that is given a seed is seeded by it."""
    last = source.rpartition(".")[2]
    return name == last or (last in ("seed", "Random") and name in ("Random", "RandomState", "seed"))


def _name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _seeded(call: ast.Call, *, given: bool) -> str | None:
    """The call with a seed, where it has none, or where what it is given may be None; None for other calls.

    given: whether it was given a seed, which is to blame.
    """
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    without = isinstance(arguments[0], ast.Constant) and arguments[0].value is None if arguments else True
    if len(arguments) < 2 and (given or without):
        return f"{ast.unparse(call.func)}(0)"
    asks = (ast.Call, ast.NamedExpr, ast.Await)  # it is written twice
    if len(arguments) > 1 or isinstance(arguments[0], ast.Constant):
        return None
    if any(isinstance(part, asks) for part in ast.walk(arguments[0])):
        return None
    seed = ast.unparse(arguments[0])
    tested = seed if isinstance(arguments[0], (ast.Name, ast.Attribute, ast.Subscript)) else f"({seed})"
    return f"{ast.unparse(call.func)}(0 if {tested} is None else {tested})"


def _constant(source: str, name: str, value: Any, owner: str) -> str | None:
    """What stands for a value of a clock or of the system."""
    if value is None:
        return None
    if source.rpartition(".")[2] != name and not (source == "secrets" and name.startswith(("token_", "randb"))):
        return None
    if source in ("time.localtime", "time.gmtime"):
        return f"__import__('time').struct_time({tuple(value)})"
    if source in ("time.ctime", "time.asctime"):
        return repr(time.asctime(tuple(value)))
    if source.startswith(("time.", "os.getp")):
        return repr(value)
    if source.startswith("datetime."):
        if owner not in ("datetime", "date"):
            return None  # another class, as that of pandas
        return f"__import__('datetime').{source.split('.')[1]}.fromisoformat({value!r})"
    if source.startswith("uuid."):
        return f"__import__('uuid').UUID({value!r})"
    return f"bytes.fromhex({value!r})" if source == "os.urandom" or name == "token_bytes" else None


def _replaced(text: str, line: int, replacement: Replacement) -> tuple[str, str, str, int] | None:
    """The new text, and of the first call of a line, or around it, that is replaced: its old and new source, and lines below."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except SyntaxError:
        return None
    names = _aliases(nodes)
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    near = [call for call in calls if call.lineno <= line <= (call.end_lineno or call.lineno)]
    # of a generator that is made and seeded on a line, the seeding counts
    for call in sorted(near, key=lambda call: (abs(call.lineno - line), _name(call) != "seed", len(ast.dump(call)))):
        source = ast.get_source_segment(text, call)
        new = None if source is None else replacement(call, source, names)
        if source is not None and new is not None:
            place = _of_with(nodes, call)
            if isinstance(place, ast.Name):
                source, new = place.id, new.replace(source, place.id, 1)
            return _spliced(text, place, _as_long(source, new)), source, new, place.lineno - call.lineno
    return None


def _of_with(nodes: list[ast.AST], call: ast.Call) -> ast.expr:
    """The first use of the name that a with statement gives to what a call returns, which has to stay one to be closed."""
    for node in nodes:
        for item in node.items if isinstance(node, ast.With) else ():
            if item.context_expr is call and isinstance(item.optional_vars, ast.Name):
                inside = [part for statement in node.body for part in ast.walk(statement)]  # type: ignore[attr-defined]
                uses = [part for part in inside if isinstance(part, ast.Name) and part.id == item.optional_vars.id]
                return min(uses, key=lambda use: (use.lineno, use.col_offset), default=call)
    return call


def _aliases(nodes: list[ast.AST]) -> dict[str, str]:
    """{name in a file: the name that it was imported by, or assigned from}."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            found |= {one.asname: one.name for one in node.names if one.asname}
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Attribute):
                found[node.targets[0].id] = value.attr
    return found


def _as_long(source: str, new: str) -> str:
    """The new source with as many lines as the old one, so that those below keep their numbers."""
    missing = "\n" * (source.count("\n") - new.count("\n"))
    if not missing:
        return new
    return new[:-1] + missing + ")" if new.endswith(")") else f"({new}{missing})"


def _spliced(text: str, call: ast.expr, new: str) -> str:
    """The text with an expression's source replaced; columns are counted in bytes of UTF-8."""
    lines = text.encode().splitlines(keepends=True)
    begin = sum(map(len, lines[: call.lineno - 1])) + call.col_offset
    end = sum(map(len, lines[: (call.end_lineno or call.lineno) - 1])) + (call.end_col_offset or 0)
    data = text.encode()
    return (data[:begin] + new.encode() + data[end:]).decode()


def _text(path: str, texts: dict[str, str]) -> str:
    return texts.get(_key(path)) or Path(path).read_text(encoding="utf-8")


def _key(path: str) -> str:
    return str(Path(path).resolve())
