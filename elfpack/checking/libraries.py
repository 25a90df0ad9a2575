"""The libraries of each program, and of those that no program loads: found by the rules of the
loader that is there, and taken by it."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.checking.above import Judged
from elfpack.checking.explain import Searches, library_words, refusal_words
from elfpack.checking.survey import Survey
from elfpack.errors import Finding
from elfpack.loader.closure import Miss
from elfpack.loader.remarks import foreign, told_foreign

_PLACES = 20
"""Directories that are told of one search."""


def rule(seen: Survey) -> Iterator[Finding]:
    """What is not found, and where the loader would stop."""
    searches = Searches(seen)
    for judged in seen.all():
        yield from _missing(seen, judged, searches)
        yield from _refused(judged)
        for hit in foreign(judged.closure):
            yield Finding("wrong-machine", judged.path, told_foreign(hit))


def _missing(seen: Survey, judged: Judged, searches: Searches) -> Iterator[Finding]:
    misses = [miss for miss in seen.misses(judged) if _is_sure(seen, judged, miss)]
    if not misses:
        return
    state, _ = seen.resolver.steps(judged.closure, judged.options)
    scopes = {place: state.scope(number) for number, place in state.places().items()}
    places = dict(judged.closure.searched)
    for miss in misses:
        code, way, wrong_class = searches.why(judged, miss.name, scopes[miss.requester])
        told = f"{miss.name} is missing"
        if miss.requester:
            told += f", needed by {judged.closure.label(miss.requester)}"
        if way:
            told += f": {way}"
        words = library_words(judged, miss, wrong_class)
        yield Finding(code, judged.path, told, _hint(places.get(miss.name, ())), quote=words)


def _hint(places: tuple[str, ...]) -> str | None:
    more = f" and {len(places) - _PLACES} more" if len(places) > _PLACES else ""
    return f"looked for in {', '.join(places[:_PLACES])}{more}" if places else None


def _is_sure(seen: Survey, judged: Judged, miss: Miss) -> bool:
    """Without its loader nobody knows where a program's libraries would be looked for. One that
    is nowhere is missing all the same."""
    return judged.closure.interpreter is not None or (
        judged.at.elf.kind == "library" or not seen.has(miss.name)
    )


def _refused(judged: Judged) -> Iterator[Finding]:
    """A library tells of what it needs itself."""
    for refusal in judged.closure.refusals:
        if refusal.by == "the kernel" or not refusal.needed_by:
            continue
        if judged.at.elf.kind == "library" and refusal.needed_by != judged.path:
            continue
        told = f"{refusal.path} is no library that its loader takes"
        if refusal.needed_by != judged.path:
            told += f", needed by {refusal.needed_by}"
        yield Finding("loader-refuses", judged.path, told, quote=refusal_words(judged, refusal))
