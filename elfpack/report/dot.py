"""The objects of closures and who asks for whom, for Graphviz.

Source: the DOT language, https://graphviz.org/doc/info/lang.html, "quoted strings".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from elfpack.loader.closure import EXCLUDED, MISSING, VDSO, Borrowed, Closure
from elfpack.paths import printable
from elfpack.report.edges import Edge, edges, how


def head() -> str:
    """The beginning of the one graph that holds all programs."""
    return "digraph elfpack {\n  rankdir=LR;\n  node [shape=box];"


def tail() -> str:
    return "}"


def lines(closure: Closure, borrowed: Iterable[Borrowed] = ()) -> Iterator[str]:
    """The nodes and edges of one closure; an object is one node, whoever loads it."""
    yield f"  {_quoted(closure.name)} [style=bold];"
    top = closure.name
    for script in closure.scripts:
        below = script.command or script.interpreter
        yield f'  {_quoted(top)} -> {_quoted(below)} [label="#!"];'
        top = below
    if closure.missing_interpreter is not None:
        yield _missing(top, closure.missing_interpreter, "interpreter")
    if closure.program is None:
        return
    if closure.interpreter is not None:
        target = _quoted(closure.interpreter.path)
        yield f'  {_quoted(top)} -> {target} [label="interpreter", style=dotted];'
    names = [top, *(hit.path for hit in closure.hits[1:])]
    for number, row in enumerate(edges(closure, borrowed)):
        for edge in row:
            yield _edge(closure, names, names[number], edge)


def _edge(closure: Closure, names: list[str], source: str, edge: Edge) -> str:
    if edge.target == MISSING:
        return _missing(source, edge.name, edge.role or "not found")
    if edge.target in (EXCLUDED, VDSO):
        label = "excluded" if edge.target == EXCLUDED else "from the kernel"
        return f'  {_quoted(source)} -> {_quoted(edge.name)} [label="{label}", style=dashed];'
    label = f"{edge.name}\n{how(closure.hits[edge.target])}"
    if edge.role:
        label += f"\n{edge.role}"
    style = ""
    if edge.borrowed is not None:
        label += "\nloaded before"
        style = ", style=dashed"
    return f"  {_quoted(source)} -> {_quoted(names[edge.target])} [label={_quoted(label)}{style}];"


def _missing(source: str, name: str, label: str) -> str:
    return (
        f"  {_quoted(name)} [color=red];\n"
        f"  {_quoted(source)} -> {_quoted(name)} [label={_quoted(label)}, color=red];"
    )


def _quoted(text: str) -> str:
    """A string of the DOT language. A backslash is an escape there, and a line feed would be
    kept: both stand as what they look like."""
    shown = "\n".join(printable(line) for line in text.split("\n"))
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
