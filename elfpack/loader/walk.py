"""The breadth-first walk from a program to all that its loader loads. Names no libc.

Source: glibc elf/dl-deps.c, _dl_map_object_deps(); musl ldso/dynlink.c, load_deps().
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from elfpack.elf import constants as c
from elfpack.elf.file import Filter
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.loader.closure import EXCLUDED, MISSING, VDSO, Alias, Closure, Miss, Preload
from elfpack.loader.common import is_common
from elfpack.loader.program import Program
from elfpack.loader.records import EMPTY_SCOPE, Hit, Kind, Refusal, Role, Scope, SearchList
from elfpack.loader.search import Search
from elfpack.paths import matches

if TYPE_CHECKING:
    from elfpack.loader.around import Around
    from elfpack.loader.preload import Wanted

_MOST_UNSEEN = 1000
"""Objects that stand before the program; nobody has seen one that filters more than a few."""
_MOST_PATHS = 128
"""Objects with a DT_RPATH of which each needs the next: every name below is looked for in all."""
_MOST_PLACES = 256
"""Places that are told of where a name was looked for: there may be as many names."""
_MOST_TEXT = 1 << 14
"""Characters of all of them together."""
_MOST_TOLD = 1000
"""Missing names of which they are told; of any more only the first place."""


class Step(NamedTuple):
    """One name that an object asked for, in the order in which the loader asks."""

    name: str
    requester: int
    scope: Scope | None
    """What the search depends on; None if nothing was looked for: ``target`` was there."""
    target: int
    """The position of what was there already, :data:`EXCLUDED`, or :data:`MISSING` if searched."""


class _Asked(NamedTuple):
    """A name on its way through the walk."""

    name: str
    requester: int
    scope: Scope
    table: dict[str, Hit | Refusal | None]
    role: Role = Role.NEEDED
    filtered: Filter | None = None
    opened: str | None = None
    """What is looked for in place of the name."""


def _around(closures: tuple[Closure, ...], search: Search) -> Around:
    from elfpack.loader.around import Around

    return Around(closures, search)


class Walk:
    """One breadth-first walk. Grows lists, each object is visited once."""

    def __init__(
        self,
        program: Program,
        interpreter: Hit | None,
        search: Search,
        exclude: tuple[str, ...],
        around: tuple[Closure, ...] = (),
    ) -> None:
        self.search = search
        self.hits = [program.hit]
        self.names = [program.name]
        self.requesters = [-1]
        self.roles: dict[int, Role] = {}
        """Of those that are not simply needed."""
        self.targets: list[tuple[int, ...] | None] = [None]
        self.filtees: dict[int, tuple[int, ...]] = {}
        self.order = [0]
        """The loader's list: positions in the lists above, and for each of :attr:`misses` the
        complement of its number. While it is walked, what was moved to the front stands a second
        time where it was."""
        self._passed: set[int] = set()
        """What stands before the position of the walk, as far as a filter asked for it."""
        self._counted = 0
        """How many are among those."""
        self.unlisted: set[int] = set()
        self.preloads: list[Preload] = []
        self.misses: list[Miss] = []
        self.excluded: dict[str, None] = {}
        self.refusal: Refusal | None = None
        self.searched = False
        """Whether any file was looked for."""
        self.endless = False
        """The refusal is one that even DT_AUXILIARY does not get over."""
        self.aliases: list[Alias] = []
        self.steps: list[Step] | None = None
        """Every name that was asked for; only if somebody wants it."""
        self._where: dict[int, tuple[str, ...]] = {}
        self._told = 0
        self._exclude = exclude
        self._interpreter = interpreter
        loader = search.system.loader
        soname = search.loader_soname(interpreter)
        self._loaded = search.rules.loaded(program.hit, loader.path, soname)
        self._scopes: dict[int, Scope] = {}
        self._chains: dict[int, tuple[SearchList, ...]] = {}
        """Of those that may have any, and so :attr:`_scopes`."""
        self._inherits = bool(around)
        """Whether any object has a chain that others could inherit."""
        self._above_preloads: tuple[SearchList, ...] = ()
        self._around = _around(around, search) if around else None

    def preload(self, wanted: Iterable[Wanted]) -> None:
        """Load what goes before all that the program needs. What fails is passed over.

        Source: glibc elf/rtld.c, do_preload(); musl ldso/dynlink.c, load_preload().
        """
        rules, hit = self.search.rules, self.hits[0]
        scope = rules.preload_scope(rules.chain(hit, ()), hit)
        self._above_preloads = scope.rpath_chain
        self._inherits = True
        table = self.search.table(scope)
        for name, source in wanted:
            # Only what is opened has its tokens replaced; the object keeps the name as written.
            opened = rules.expand(name, hit) if "$" in name and "/" in name else None
            target = self._named(_Asked(name, 0, scope, table, Role.PRELOAD, opened=opened))
            reason = ""
            if self.refusal is not None:
                reason = f"{self.refusal.path}: {self.refusal.reason}"
                self.refusal = None
            elif target == MISSING and self._loaded.by_name(name) is None:
                reason = "not found"
            self.preloads.append(Preload(name, source, target, reason))

    def run(self) -> None:
        """Visit the objects in the order of the list, which grows meanwhile: at its end, and
        before an object that is a filter."""
        position = 0
        order, targets = self.order, self.targets
        while position < len(order) and self.refusal is None:
            number = order[position]
            if number >= 0 and targets[number] is None:
                self._visit(number, position)
            else:
                position += 1
        if self.filtees:
            self.order = list(dict.fromkeys(order))

    def _visit(self, number: int, position: int) -> None:
        hit = self.hits[number]
        elf = hit.elf
        scope = EMPTY_SCOPE
        if self._inherits or elf.has_path or elf.flags_1 & c.DF_1_NODEFLIB:
            scope = self._scope_of(number, hit)
        self.targets[number] = ()
        if elf.filters and self.search.rules.follows_filters:
            self._visit_filter(number, position, scope)
        elif elf.needed:
            self.targets[number] = self._needs(number, elf.needed, scope)

    def scope(self, number: int) -> Scope:
        """All that the searches on behalf of an object depend on, once it was visited."""
        return self._scopes.get(number, EMPTY_SCOPE)

    def _scope_of(self, number: int, hit: Hit) -> Scope:
        above = self._above_preloads
        if not number:
            above = () if self._around is None else self._around.chain
        elif self.roles.get(number) is not Role.PRELOAD:
            above = self._chains.get(self.requesters[number], ())
        chain = self.search.rules.chain(hit, above)
        if chain:
            if len(chain) > _MOST_PATHS:
                reason = f"it inherits more than {_MOST_PATHS} search paths, as no real object does"
                by = self.hits[self.requesters[number]].path
                self.refusal = Refusal(hit.path, reason, by, "elfpack")
            self._chains[number] = chain
            self._inherits = True
        self._scopes[number] = scope = self.search.rules.scope(hit, chain)
        return scope

    def _needs(self, number: int, needed: tuple[str, ...], scope: Scope) -> tuple[int, ...]:
        """What satisfies the needed names of an object."""
        table = self.search.table(scope)
        if self._exclude or self.steps is not None or self._around is not None:
            return self._asked(number, needed, scope, table)
        # Nearly every name is loaded already, or was found by an earlier walk in this way.
        plain = self.search.plain(scope)
        by_name, by_file = self._loaded.by_name, self._loaded.by_file
        row: list[int] = []
        for written in needed:
            target = by_name(written)
            if target is None and written in plain:
                hit = plain[written]
                target = by_file(written, hit)
                if target is None:
                    target = self._add(written, number, hit)
                else:
                    self.aliases.append(Alias(written, number, target, hit))
            elif target is None or target < 0 or "$" in written:
                row += self._asked(number, (written,), scope, table)
                if self.refusal is not None:
                    break
                continue
            row.append(target)
        return tuple(row)

    def _asked(
        self,
        number: int,
        needed: tuple[str, ...],
        scope: Scope,
        table: dict[str, Hit | Refusal | None],
    ) -> tuple[int, ...]:
        """The same, whatever there is to be heeded."""
        row: list[int] = []
        for written in needed:
            row.append(self._needed(_Asked(written, number, scope, table)))
            if self.refusal is not None:
                break
        return tuple(row)

    def _visit_filter(self, number: int, position: int, scope: Scope) -> None:
        """The needed names of a filter, and what it filters, in the order of its tags."""
        table = self.search.table(scope)
        row, filtees = [], []
        before: dict[int, None] = {}
        for written, filtered in self.hits[number].elf.asked:
            if filtered is None:
                row.append(self._needed(_Asked(written, number, scope, table)))
            else:
                known = len(self.order)
                asked = _Asked(written, number, scope, table, Role.of(filtered), filtered)
                target = self._needed(asked)
                filtees.append(target)
                if len(self.order) > known:  # it is new, or a new one that is missing
                    self._before(self.order.pop(), number, before)
                elif target >= 0:
                    if not self._is_passed(target, number, position, before):
                        self._before(target, number, before)
                elif not filtered.required and not self.endless:  # DT_AUXILIARY: no error is one
                    self.refusal = None
            if self.refusal is not None:
                break
        # What the program filters goes before the program, where ldd does not look. The program
        # stays the first here all the same.
        # Source: elf/dl-deps.c, _dl_map_object_deps(); elf/rtld.c, dl_main().
        place = max(1, position)
        self.order[place:place] = before if number else reversed(before)
        self.targets[number] = tuple(row)
        self.filtees[number] = tuple(filtees)

    def _before(self, target: int, number: int, before: dict[int, None]) -> None:
        """What an object filters goes before it, wherever it stood behind it."""
        if not number:
            before.pop(target, None)  # the last goes before all others
        if target != number:
            before[target] = None
        if number == 0 or number in self.unlisted:
            self.unlisted.add(target)
            if target >= 0:
                self._loaded.forget(target, self.hits[target])

    def _is_passed(self, target: int, number: int, position: int, before: dict[int, None]) -> bool:
        """Whether an object stands before the one that the walk has come to."""
        self._passed.update(self.order[self._counted : position])
        self._counted = max(self._counted, position)
        return target in self._passed or (target in before if number else target == 0)

    def _needed(self, asked: _Asked) -> int:
        """The position of what satisfies a name as it is written in a tag."""
        if "$" not in asked.name:
            return self._named(asked)
        rules = self.search.rules
        forbidden = rules.forbids(asked.name)
        if forbidden is not None:
            self.refusal = Refusal(asked.name, forbidden)
            return MISSING
        name = rules.expand(asked.name, self.hits[asked.requester])
        return self._named(asked if name is None else asked._replace(name=name))

    def _named(self, asked: _Asked) -> int:
        """The position of what satisfies a name, which is loaded if it has to be."""
        name = asked.name
        if self._exclude and matches(name, self._exclude):
            self.excluded[name] = None
            self._note(asked, EXCLUDED)
            return EXCLUDED
        target = self._loaded.by_name(name)
        if target is None and name in self.search.vdso:
            target = VDSO
        if target is None:
            near = None if self._around is None else self._around.by_name(name)
            return self._search(asked) if near is None else self._take(asked, near)
        if target == -1:
            target = self._interpreter_needed(asked)
        self._note(asked, target)
        return target

    def _note(self, asked: _Asked, target: int) -> None:
        if self.steps is not None:
            self.steps.append(Step(asked.name, asked.requester, None, target))

    def _search(self, asked: _Asked) -> int:
        name, requester, scope, table, _, filtered, opened = asked
        self.searched = True
        if self.steps is not None:
            self.steps.append(Step(opened or name, requester, scope, MISSING))
        answer = self.search.find(opened or name, scope, table)
        if answer is None:
            return self._missing(asked)
        if isinstance(answer, Refusal):
            return self._refused(answer, asked)
        same = self._same(asked, answer)
        if same is not None:
            return same
        reason = self.search.rules.refuse(answer.elf)
        if reason is not None:
            return self._refused(Refusal(answer.path, reason), asked)
        endless = None if filtered is None else self._endless(requester, answer)
        if endless is not None:
            self.endless = True
            self.refusal = Refusal(answer.path, endless)
            return MISSING
        itself = self.search.rules.stands_for(answer)
        if itself is not None:
            return self._named(asked._replace(name=itself))
        if asked.role is Role.NEEDED and "$" not in name:
            self.search.plain(scope)[name] = answer
            if not scope.rpath_chain and is_common(name, answer):
                self.search.common(scope)[name] = answer
        return self._take(asked, answer)

    def _same(self, asked: _Asked, hit: Hit) -> int | None:
        """What is loaded already from that file."""
        same = self._loaded.by_file(asked.name, hit)
        if same is not None:
            if asked.role is not Role.PRELOAD:
                self.aliases.append(Alias(asked.name, asked.requester, same, hit))
            return same
        near = None if self._around is None else self._around.by_file(asked.name, hit)
        return None if near is None else self._take(asked, near)

    def _refused(self, refusal: Refusal, asked: _Asked) -> int:
        """A candidate that cannot be loaded. glibc's loader stops there; musl's tells of it, looks
        at all other names, and then does not start the program."""
        number = asked.requester
        by = self.names[0] if number == 0 else self.hits[number].path
        refusal = refusal._replace(needed_by=by)
        if self.search.rules.goes_on and asked.role is not Role.PRELOAD:
            return self._missing(asked, refusal)
        self.refusal = refusal
        return MISSING

    def _missing(self, asked: _Asked, refusal: Refusal | None = None) -> int:
        """A name that nothing is loaded for has its place in the list; a preload has none."""
        if asked.role is not Role.PRELOAD:
            self.order.append(~len(self.misses))
            self.misses.append(
                Miss(asked.name, asked.requester, filtered=asked.filtered, refusal=refusal)
            )
        return MISSING

    def _endless(self, requester: int, hit: Hit) -> str | None:
        """Why a filter would be loaded for itself again and again, or too often: what stands before
        the program is not seen by what looks for it."""
        if len(self.unlisted) > _MOST_UNSEEN:
            return f"more than {_MOST_UNSEEN} objects that the program filters stand before it"
        while requester in self.unlisted or requester == 0:
            if self.hits[requester].identity == hit.identity:
                return "filters itself: the loader would never end"
            requester = self.requesters[requester]
        return None

    def _take(self, asked: _Asked, hit: Hit) -> int:
        number = self._add(asked.name, asked.requester, hit)
        if asked.role is not Role.NEEDED:
            self.roles[number] = asked.role
        return number

    def _add(self, name: str, requester: int, hit: Hit) -> int:
        number = len(self.hits)
        self.hits.append(hit)
        self.names.append(name)
        self.requesters.append(requester)
        self.targets.append(None)
        self.order.append(number)
        self._loaded.add(number, name, hit)
        return number

    def _interpreter_needed(self, asked: _Asked) -> int:
        """The interpreter is loaded before all others, and listed where it is first needed."""
        preloaded = asked.role is Role.PRELOAD
        if self._interpreter is None or (
            preloaded and not self.search.rules.lists_preloaded_loader
        ):
            return MISSING
        number = self._take(asked, self._interpreter)
        self._loaded.interpreter_is(number)
        return number

    def places(self) -> dict[int, int]:
        """The position in the closure of each object, in the order of the list."""
        objects = [number for number in self.order if number >= 0]
        return {number: position for position, number in enumerate(objects)}

    def where(self, miss: Miss) -> tuple[str, ...]:
        """The places where a missing name was looked for: the same for all of one object."""
        if "/" in miss.name:
            return (self.search.system.absolute(miss.name),)
        known = self._where.get(miss.requester)
        if known is None:
            known = self._where[miss.requester] = self._places_of(miss)
        self._told += 1
        return known if self._told <= _MOST_TOLD else known[:1]

    def _places_of(self, miss: Miss) -> tuple[str, ...]:
        system = self.search.system
        places: dict[str, None] = {}
        for step in self.search.rules.steps(miss.name, self.scope(miss.requester)):
            if step.kind is Kind.CACHE:
                places[system.loader.cache or ""] = None
            for element in step.elements[:_MOST_PLACES]:
                places[system.absolute(element.directory).rstrip("/") or "/"] = None
        told, left = [], _MOST_TEXT
        for place in islice(places, _MOST_PLACES):
            left -= len(place)
            if left < 0:
                break
            told.append(place)
        return tuple(told)
