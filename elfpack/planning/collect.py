"""Everything that goes into an image: closures, what runtime modules add, added files.

One loop, which only grows a set and so ends: what was added may wake a module.
"""

from __future__ import annotations

from collections.abc import Mapping

from elfpack.elf.file import Abi, ElfFile
from elfpack.errors import (
    ElfpackError,
    Finding,
    IncompleteError,
    InputError,
    RequestError,
    SeveralErrors,
    TroubleError,
    unreadable,
)
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.loader.closure import Closure
from elfpack.loader.hwcaps import BASELINE
from elfpack.loader.program import Program, Script
from elfpack.loader.remarks import foreign, told_foreign
from elfpack.loader.resolve import Options, Resolver
from elfpack.paths import basename, matches
from elfpack.planning import additions
from elfpack.planning.added import AddedFile, added_files
from elfpack.planning.brought import answers, brought
from elfpack.planning.contents import Contents
from elfpack.planning.entry import Reason
from elfpack.planning.request import Request, Wanted, wanted
from elfpack.planning.secrets import Secrets
from elfpack.planning.view import ClosureView, Seen
from elfpack.root.walk import Place
from elfpack.runtime import MODULES
from elfpack.runtime.module import (
    OPENED,
    AddFile,
    Addition,
    AddObject,
    AddProgram,
    Hint,
    Lacking,
    RuntimeModule,
)

if TYPE_CHECKING:
    from elfpack.runtime.module import Role

_DEEPEST = 32
"""Libraries of which each opens the next at run time; a program of many plugins has three. All that
is loaded around the last is looked through for each."""


class Member(NamedTuple):
    """A closure, the name of its program in the image, and why it is there."""

    closure: Closure
    wanted: Wanted | None
    """None for what was not named by the user: it stays at its own path."""
    reason: Reason
    added: bool = False
    """Its program is put by what the user adds; only what it needs is to be put for it."""
    script: Wanted | None = None
    """The script that comes down to this program."""
    cpu: str = BASELINE
    """The CPU that it was looked up for. One of a better CPU comes beside that of the baseline."""
    opener: int | None = None
    """The number of the object that opens it, in the last closure around it."""


class Collection:
    """What was collected; :mod:`elfpack.planning.place` decides where it goes."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.scripts: list[tuple[Script, Wanted | None]] = []
        self.files: list[AddedFile] = []
        self.additions: dict[Addition, RuntimeModule] = {}
        self.findings: list[Finding] = []
        self.faults: list[Finding] = []
        self.missing: list[str] = []


class Collector:
    """Fills a :class:`Collection`."""

    def __init__(self, resolver: Resolver, options: Options, request: Request) -> None:
        self._resolver = resolver
        self._better = options._replace(exclude=request.excluded_names)
        """With the CPU whose variants come beside the baseline's copies."""
        self._options = self._better._replace(cpu=BASELINE)
        self._request = request
        self._contents = Contents(resolver.files)
        self._known: set[tuple[int, int]] = set()
        self._unjudged: list[Closure] = []
        """Of libraries that are added: what one of them lacks, a later one may be."""
        self._run: set[str] = set()
        """The paths of programs that modules added."""
        self._secrets = Secrets(resolver.files)
        self._identities: dict[int, frozenset[tuple[int, int]]] = {}
        """By the id() of closures, which are kept as members."""
        self._views: dict[tuple[int, ...], ClosureView] = {}
        self.found = Collection()

    def run(self) -> Collection:
        """
        Raises:
            InputError: a program or added file cannot be read.
            IncompleteError: something is missing; all of it is listed.
        """
        files = self._resolver.files
        files.also = self._contents.read_along
        try:
            return self._collect()
        finally:
            files.also = None

    def _collect(self) -> Collection:
        errors: list[ElfpackError] = []
        for texts, take in (
            (self._request.programs, self._program),
            (self._request.added, self._added),
        ):
            for text in texts:
                try:
                    take(wanted(text, self._resolver.files, self._options.cwd))
                except ElfpackError as e:  # the others are looked at all the same
                    errors.append(e)
        if not errors:
            self._modules(self._request.modules)
        for closure in self._unjudged:
            self._judge(closure)
        if self.found.faults:
            incomplete = IncompleteError(tuple(dict.fromkeys(self.found.faults)))
            incomplete.closures = tuple(member.closure for member in self.found.members)
            errors.append(incomplete)
        if len(errors) > 1:
            raise SeveralErrors(tuple(errors))
        if errors:
            raise errors[0]
        return self.found

    # Programs

    def _program(self, want: Wanted) -> None:
        place = self._resolver.files.find(want.source)
        if not isinstance(place, int) and place.node.identity in self._request.output:
            raise RequestError(
                "the output would take the place of this program",
                path=want.name,
                hint="give the output another name",
            )
        closure = self._resolver.resolve(want.name, self._options)
        reason = Reason("program", closure.kind)
        for number, script in enumerate(closure.scripts):
            self.found.scripts.append((script, None if number else want))
            self._interpreter_of(script, want.name if number == 0 else script.path)
        if closure.scripts:
            reason = Reason("script", because_of=closure.scripts[-1].path)
            self._member(Member(closure, None, reason, script=want))
        else:
            self._member(Member(closure, want, reason))

    def _interpreter_of(self, script: Script, shown: str) -> None:
        """``env``, which runs the command that a script is for."""
        if script.wanted is None:
            return
        if script.command is None:
            self.found.faults.append(
                Finding(
                    "missing-interpreter",
                    shown,
                    f"{script.wanted} is missing, which {script.interpreter} would run",
                    "install it, or name the program itself",
                )
            )
        closure = self._resolver.resolve(script.interpreter, self._options)
        self._member(Member(closure, None, Reason("script", because_of=script.path)))

    def _member(self, member: Member) -> None:
        closure = member.closure
        later = (closure.kind == "library" and member.wanted is None) or member.added
        judge = self._unjudged.append if later else self._judge
        judge(closure)
        self.found.members.append(member)
        if closure.hits:
            self._known.add(closure.hits[0].identity)
        if self._better.cpu != BASELINE and closure.program is not None and closure.loader:
            given = closure.loader.path
            # Also where it is the same: in the image it has to be, too.
            variant = self._resolver.closure(closure.program, self._better, given, closure.around)
            judge(variant)
            self.found.members.append(member._replace(closure=variant, cpu=self._better.cpu))

    def _judge(self, closure: Closure) -> None:
        """Findings for what a closure lacks."""
        faults = self.found.faults
        if closure.missing_interpreter is not None:
            faults.append(
                Finding(
                    "missing-interpreter",
                    closure.name,
                    f"its interpreter {closure.missing_interpreter} is missing",
                    "install what has that name, or look inside a tree that has it: "
                    "--root DIR, and PROGRAM is a path in DIR then",
                )
            )
        for refusal in closure.refusals:
            hint = "--why and -v of elfpack deps tell how it came there"
            faults.append(Finding("loader-refuses", closure.name, str(refusal), hint))
        for hit in foreign(closure):
            faults.append(Finding("wrong-machine", closure.name, told_foreign(hit), "replace it"))
        for missing in closure.missing:
            if matches(missing.name, self._request.allow_missing):
                self.found.missing.append(missing.name)
                continue
            if self._brought(missing.name, closure):
                continue
            by = ", ".join(missing.needed_by)
            places = ", ".join(missing.searched) or "nowhere"
            faults.append(
                Finding(
                    "missing-library",
                    closure.name,
                    f"{missing.name} is missing, needed by {by}; looked for in {places}",
                    "install it, name its directory with --library-path, "
                    f"or go without: --allow-missing {missing.name}",
                )
            )

    def _brought(self, name: str, closure: Closure) -> bool:
        """Whether what a library lacks is among the added files, and a program opens it first."""
        if closure.kind != "library":
            return False
        programs = [m.closure for m in self.found.members if m.closure.kind != "library"]
        added = [m.closure for m in self.found.members if m.closure.kind == "library"]
        machine = closure.hits[0].elf.abi[:3]
        traced = (m.closure.hits[0] for m in self.found.members if m.reason.how == OPENED)
        if any(answers(hit, name, machine) for hit in traced):
            return True
        found = brought(name, machine, programs, added, self._contents)
        if found is not None:
            by = basename(found.opener.path)
            told = f"added libraries that need it find it only when {by} has opened it before"
            self.found.findings.append(Finding("opened-first", found.library.path, told, note=True))
        return found is not None

    # Added files

    def _added(self, want: Wanted) -> None:
        abi = self._abi()
        for item in added_files(self._resolver.files, want, self._request, self.found.findings):
            place = item.place
            if place is None or not place.node.is_regular:
                self.found.files.append(item)
                continue
            elf, capability = self._resolver.files.look(place)
            self.found.files.append(AddedFile(*item[:4], capability))
            if isinstance(elf, int):
                raise unreadable(item.source, elf)
            if elf is not None:
                self._added_elf(item, place, elf, abi)

    def _added_elf(self, item: AddedFile, place: Place, elf: ElfFile, abi: Abi | None) -> None:
        """An ELF file among them gets its dependencies, if a loader would load it."""
        if elf.kind == "object" or not elf.dynamic:
            return
        if abi is not None and elf.abi[:3] != abi[:3]:
            return
        closure = self._alone_or_opened(self._resolver.resolve(item.source, self._options))
        if closure.refusal is not None and closure.refusal.path == closure.hits[0].path:
            return  # no loader would load it: data
        if closure.loader is not None and place.node.identity not in self._known:
            want = Wanted(item.source, item.source, item.destination)
            reason = Reason("added", because_of=item.source)
            self._member(Member(closure, want, reason, added=True))

    def _alone_or_opened(self, closure: Closure) -> Closure:
        """A library that lacks something by itself, as a program would open it that has loaded
        that, if there is one."""
        library = closure.program
        if library is None or library.kind != "library" or not closure.missing:
            return closure
        for member in self.found.members:
            program = member.closure
            if program.kind == "library" or program.loader is None:
                continue
            if program.hits[0].elf.abi[:3] != library.hit.elf.abi[:3]:
                continue
            path = program.loader.path
            opened = self._resolver.closure(library, self._options, path, (program,))
            if not opened.missing:
                return opened
        return closure

    def _abi(self) -> Abi | None:
        for member in self.found.members:
            if member.closure.hits:
                return member.closure.hits[0].elf.abi
        return None

    # Runtime modules

    def _modules(self, chosen: Mapping[str, object]) -> None:
        """Ask the modules until nothing new comes."""
        active = [
            (m, _chosen(chosen.get(m.name))) for m in MODULES if chosen.get(m.name) is not False
        ]
        while True:
            before = len(self.found.members)
            proposed: dict[Addition, RuntimeModule] = {}
            for module, values in active:
                for addition in self._ask(module, values):
                    proposed.setdefault(addition, module)
            self.found.additions = proposed
            if len(self.found.members) == before:
                break
        for addition, module in self.found.additions.items():
            if isinstance(addition, Lacking):
                self._lacking(addition, module)
            elif isinstance(addition, Hint):
                self.found.findings.append(additions.hint(addition))

    def _ask(self, module: RuntimeModule, values: tuple[object, ...] | None) -> list[Addition]:
        """What a module adds; one that sees what it brought is asked until nothing new comes."""
        while True:
            before = len(self.found.members)
            view = self.view(None if module.sees_own else module)
            found = [a for a in module.propose(view, values) if not self._secret(a)]
            for addition in found:
                self._addition(addition, module)
            if not module.sees_own or len(self.found.members) == before:
                return found

    def _secret(self, addition: Addition) -> bool:
        """Whether a module, or a link of the root, leads to what no image may have."""
        finding = self._secrets.finding(addition.path) if isinstance(addition, AddFile) else None
        if finding is not None and finding not in self.found.findings:
            self.found.findings.append(finding)
        return finding is not None

    def view(self, module: RuntimeModule | None = None) -> ClosureView:
        """What a module sees: all but what it brought itself, which is no evidence for it. Or what
        it adds could take the place of what made it add that. Without a module, all."""
        seen = tuple(
            Seen(number, member.closure, _role(member))
            for number, member in enumerate(self.found.members)
            if (module is None or member.reason.source != module.name) and member.cpu == BASELINE
        )
        key = tuple(one.number for one in seen)
        view = self._views.get(key)
        if view is None:
            config, dropped = self._request.config, self._request.dropped_paths
            view = ClosureView(self._resolver, self._options, seen, self._contents, config, dropped)
            self._views[key] = view
        return view

    def _addition(self, addition: Addition, module: RuntimeModule) -> None:
        if isinstance(addition, AddObject):
            self._opened(addition, module)
        elif isinstance(addition, AddProgram) and addition.path not in self._run:
            self._run.add(addition.path)
            self._added_program(
                addition.path, additions.reason(module, addition.evidence, addition.path)
            )

    def _opened(self, addition: AddObject, module: RuntimeModule) -> None:
        hit = addition.found.hit
        if hit.identity in self._known:
            return
        self._known.add(hit.identity)
        number, opener = addition.found.opener
        by = self.found.members[number].closure
        around = (*by.around, by)
        if len(around) > _DEEPEST:
            raise InputError(
                f"the last of more than {_DEEPEST} libraries of which each opens the next",
                path=hit.path,
                hint=f"go without: --without {module.name}",
            )
        if any(hit.identity in self._loaded(closure) for closure in around):
            return
        loader = around[0].loader
        program = Program(addition.name, hit.path, hit)
        path = loader.path if loader is not None else None
        closure = self._resolver.closure(program, self._options, path, around)
        reason = additions.reason(module, addition.evidence, addition.name)
        self._member(Member(closure, None, reason, opener=opener))

    def _loaded(self, closure: Closure) -> frozenset[tuple[int, int]]:
        """What is loaded in a closure: a program opens hundreds of libraries."""
        known = self._identities.get(id(closure))
        if known is None:
            known = frozenset([hit.identity for hit in closure.hits])
            self._identities[id(closure)] = known
        return known

    def _added_program(self, path: str, reason: Reason) -> None:
        """What a module runs, or a library at a path. What no loader would load is a file."""
        place = self._resolver.files.find(path)
        if isinstance(place, int) or place.node.identity in self._known:
            return
        self._known.add(place.node.identity)
        try:
            closure = self._resolver.resolve(path, self._options)
        except TroubleError:
            raise
        except InputError:
            return
        for script in closure.scripts:
            self.found.scripts.append((script, None))
            self._interpreter_of(script, script.path)
        closure = self._alone_or_opened(closure)
        if closure.refusal is None or closure.refusal.path != closure.hits[0].path:
            self._member(Member(closure, None, reason))

    def _lacking(self, lacking: Lacking, module: RuntimeModule) -> None:
        if lacking.requested and matches(lacking.what, self._request.allow_missing):
            self.found.missing.append(lacking.what)
            return
        kept = self.found.faults if lacking.requested else self.found.findings
        kept.append(additions.lacking(lacking, module))


def _role(member: Member) -> Role:
    """What the program of a member is to the user."""
    if member.added:
        return "added"
    by_user = member.reason.source in ("program", "script")
    return "program" if by_user or member.closure.kind != "library" else "library"


def _chosen(value: object) -> tuple[object, ...] | None:
    if value is None:
        return None
    return value if isinstance(value, tuple) else ()
