"""JAX's jitted functions: what is noted in one leaves it beside its results, if it is compiled to the same code so."""

from __future__ import annotations

import collections
import contextlib
import functools
import io
import re
from typing import Any, Counter, Dict, Iterator

DONATE = ("donate_argnums", "donate_argnames")
TOGETHER, TWICE, UNSEEN = "together", "twice", "unseen"
"""Whether a function is called with what is noted beside its results, or, where that would have it compiled to other code, by
itself and once more for what is noted; or only by itself, since it prints or calls the host, which is not to be done twice."""


def same_code(own: str, noted: str) -> bool:
    """Whether all that the one compiled module computes is computed so in the other too, which may compute more (HLO's text).

    XLA rounds otherwise where it joins operations otherwise, and it may where a result is wanted that it had not been.
    """
    return not _computations(own) - _computations(noted)


def _computations(text: str) -> Counter[str]:
    """The bodies of joined operations, and the operations of the whole but for what is only handed on, without their names."""
    text = re.sub(r", metadata=\{[^}]*\}", "", text)
    found: Counter[str] = collections.Counter()
    for head, body in re.findall(r"^(ENTRY )?%?[^\n]*\{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        if head:
            operations = [re.sub(r"%[\w.\-]+", "", line.replace("ROOT ", "")) for line in body.splitlines()]
            found.update(
                line for line in operations if not re.search(r" (parameter|tuple|constant|copy|bitcast)\(", line)
            )
        else:
            found[_renamed(body)] += 1
    return found


def _renamed(body: str) -> str:
    """With numbers in the place of names, in their order."""
    names: Dict[str, str] = {}
    return re.sub(r"%[\w.\-]+", lambda one: names.setdefault(one.group(), str(len(names))), body)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What a function prints while it is traced it prints once, not each time that we trace it."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


class Jitted:
    """A compiled function: its call notes updates, everything else is that of the author's own.

    own: as its author jitted it. noted: with what was noted beside its results. alone: what was noted, taking over no memory.
    donates: whether it may take over the memory of its arguments.
    """

    def __init__(self, watch: Any, own: Any, noted: Any, alone: Any, donates: bool) -> None:
        functools.update_wrapper(self, own)
        self._watch, self._own, self._noted, self._alone, self._donates = watch, own, noted, alone, donates
        self._ways: Dict[Any, str] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        watch = self._watch
        if watch.recorder.idle or watch.silent:
            return self._own(*args, **kwargs)
        if self._donates and watch.shares:
            watch.catch_up()
        way = self._way(args, kwargs)
        if way == TOGETHER:
            result, notes = self._noted(*args, **kwargs)
        else:
            with quiet():
                notes = self._alone(*args, **kwargs)[1] if way == TWICE else []
            with watch.silence():
                result = self._own(*args, **kwargs)
        watch.catch_up()
        if notes:
            results = watch.jax.tree_util.tree_leaves(result)
            for note in notes:
                watch.shares = watch.shares or note.places.count(None) < len(note.places)
                watch.passed_on(note.whole(results))
        return result

    def _way(self, args: Any, kwargs: Any) -> str:
        """How such arguments are to be called with; found once for all of their shapes and types."""
        leaves, tree = self._watch.jax.tree_util.tree_flatten((args, kwargs))
        if any(isinstance(one, self._watch.jax.core.Tracer) for one in leaves):
            return TOGETHER  # what it is traced in is asked this
        key = (tree, *[(one.shape, one.dtype) if hasattr(one, "dtype") else type(one) for one in leaves])
        if key not in self._ways:
            try:
                self._ways[key] = self._found_way(args, kwargs)
            except Exception as error:  # what is wrong with the function itself it raises when it is called
                self._ways[key] = self._unseen("{}: {}".format(type(error).__name__, error))
        return self._ways[key]

    def _unseen(self, why: str) -> str:
        self._watch.recorder.unseen("within {}".format(getattr(self, "__name__", "a jitted function")), why)
        return UNSEEN

    def _found_way(self, args: Any, kwargs: Any) -> str:
        watch = self._watch
        before = watch.count
        noted = self._noted.lower(*args, **kwargs)
        if watch.count == before:
            return TOGETHER
        with watch.silence(), quiet():
            traced = self._own.trace(*args, **kwargs)
            own = traced.lower()
        if same_code(own.compile().as_text(), noted.compile().as_text()):
            return TOGETHER
        return self._unseen("it would be compiled otherwise") if traced.jaxpr.effects else TWICE

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else functools.partial(self, owner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)
