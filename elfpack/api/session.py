"""A session: one root, and all that was read in it."""

from __future__ import annotations

import os
from _thread import RLock
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from types import TracebackType

from elfpack.api import host
from elfpack.api.names import Name, name, plain, several, texts
from elfpack.errors import ElfpackError, Failure, RequestError
from elfpack.light import TYPE_CHECKING
from elfpack.loader import hwcaps
from elfpack.loader.closure import Borrowed, Closure
from elfpack.loader.resolve import Options, Resolver
from elfpack.paths import GONE, decode, encode, literal
from elfpack.root.directory import DirectoryRoot, is_top
from elfpack.root.node import Root

if TYPE_CHECKING:
    from typing import Concatenate, ParamSpec, TypeVar

    from elfpack.api.planning import Plan
    from elfpack.api.request import Choice
    from elfpack.loader.binding import Binder, Binding
    from elfpack.planning.config import ImageConfig
    from elfpack.planning.entry import Plan as Record
    from elfpack.planning.request import Request

    P = ParamSpec("P")
    T = TypeVar("T")


def working_directory() -> str:
    """The process's working directory, GONE if it was deleted: who names absolute paths needs
    none."""
    try:
        return decode(os.getcwdb())
    except OSError:
        return GONE


def _directory(cwd: Name) -> str:
    path = name(cwd)
    if not path.startswith("/"):
        raise RequestError("is not absolute", path=path, hint="cwd is a path inside the root")
    return path


def _text(value: object, what: str) -> str:
    """
    Raises:
        RequestError: it is none.
    """
    if not isinstance(value, str):
        raise RequestError(f"cannot be {value!r}", path=what, hint="give a text, such as /opt/lib")
    return value


def _tree(root: Root) -> Root:
    if not hasattr(root, "label"):
        raise RequestError(f"cannot be {root!r}", path="root", hint="give the path of a directory")
    return root


def _checked(cpu: str | None) -> str | None:
    known = (hwcaps.HOST, hwcaps.BASELINE, *hwcaps.LEVELS)
    if cpu is not None and cpu not in known:
        raise RequestError("no CPU level", path=cpu or "''", hint=f"there are {', '.join(known)}")
    return cpu


def _closure(given: Closure) -> Closure:
    if not isinstance(given, Closure):
        hint = "give what resolve() returned"
        raise RequestError(f"cannot be {given!r}", path="closure", hint=hint)
    return given


class ClosedError(RequestError):
    """A session was asked after it was closed."""


def _while_open(
    method: Callable[Concatenate[Session, P], T],
) -> Callable[Concatenate[Session, P], T]:
    """A method that a closed session refuses, and that :meth:`Session.close` lets end."""

    @wraps(method)
    def guarded(self: Session, /, *args: P.args, **kwargs: P.kwargs) -> T:
        self._running.append(None)
        try:
            # Looked at behind the entry: either this sees that close() was called, or that sees it.
            if self._closed:
                raise ClosedError("its session is closed", path=self.root, hint="make a new one")
            return method(self, *args, **kwargs)
        finally:
            self._running.pop()
            if self._closed and not self._running:
                self._let_go()

    return guarded


class Session:
    """Keeps what it has read for many calls of :meth:`resolve` and :meth:`plan`.

    Threads may share one, and get the answers that one thread would get: what is kept does not
    depend on who found it first. It sees each file as first read; make a new one to look again.
    Close it, or use it in a ``with`` block: it keeps directories open, 128 at most. Afterwards all
    its methods raise :class:`elfpack.RequestError`; closures stay as they are, and can be pickled.
    """

    def __init__(
        self,
        root: Name | Root = "/",
        *,
        cwd: Name | None = None,
        library_path: str = "",
        cpu: str | None = None,
        preload: str = "",
    ) -> None:
        """
        Args:
            root: the directory that names are looked up in, or a tree that is open, and stays
                open when the session is closed (:func:`elfpack.images` makes sessions of those).
            cwd: the working directory, a path inside the root; by default the process's if the
                root is ``/``, else ``/``.
            library_path: LD_LIBRARY_PATH of the programs. The environment is not read.
            cpu: which ``glibc-hwcaps`` subdirectories count: ``host``, ``baseline`` or a level
                such as ``x86-64-v3``. By default :meth:`resolve` takes the host's if the root
                is ``/``, else the baseline, and :meth:`plan` always the baseline.
            preload: LD_PRELOAD of the programs, for :meth:`resolve`. ``/etc/ld.so.preload`` counts
                for it as well if the root is ``/``, or a tree that is open.

        Raises:
            InputError: the root is no directory.
            RequestError: there is no such CPU level, or an argument is of another kind.
        """
        self.cpu = _checked(cpu)
        self._own: DirectoryRoot | None = None
        if isinstance(root, (str, bytes, os.PathLike)):
            root = self._own = DirectoryRoot(name(root))
        self.root = _tree(root).label
        self.resolver = Resolver(root)
        top = self._own is not None and is_top(self.root)
        usual = working_directory() if top and cwd is None else "/"
        cwd = usual if cwd is None else _directory(cwd)
        self._binder: Binder | None = None
        self.options = self._options(library_path, cwd, preload, top)
        self._running: list[None] = []
        """An entry for each call that has not ended, of all threads: it comes and goes at once, by
        one call of the list, which is quicker than a lock around a number."""
        self._closed = False
        self._closing = RLock()

    def _options(self, library_path: str, cwd: str, preload: str, top: bool) -> Options:
        cpu = self.cpu or (hwcaps.HOST if top else hwcaps.BASELINE)
        facts = host.facts() if cpu == hwcaps.HOST else hwcaps.NO_FACTS
        return Options(
            _text(library_path, "library_path"),
            cwd,
            cpu=cpu,
            facts=facts,
            preload=_text(preload, "preload"),
            preload_file=top or self._own is None,
            secure=True,
        )

    def __reduce__(self) -> str:
        raise TypeError("a Session cannot be pickled: it keeps directories open (closures can be)")

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of open directories; a second time it does nothing.

        Waits for nobody: calls that other threads are in come to their end, and the last of them
        lets go. A plan is written before its session is closed.
        """
        self._closed = True
        if not self._running:
            self._let_go()

    def _let_go(self) -> None:
        with self._closing:
            if self._own is not None:
                self._own.close()

    @_while_open
    def resolve(self, program: Name, *, exclude: tuple[str, ...] = ()) -> Closure:
        """What the loader would load for a program, a library or a script.

        Raises:
            InputError: it cannot be read, or is no program.
            RequestError: that is no name.
        """
        options = self.options
        if exclude:
            options = options._replace(exclude=texts(exclude, "exclude"))
        return self.resolver.resolve(name(program), options)

    def resolve_many(
        self, programs: Iterable[Name | Failure], *, exclude: tuple[str, ...] = ()
    ) -> Iterator[Closure | Failure]:
        """The closure of each program, as it is found, in the order given; of one that fails, its
        name and the error. What is a failure already is passed on."""
        for program in several(programs, "programs"):
            if isinstance(program, Failure):
                yield program
                continue
            try:
                yield self.resolve(program, exclude=exclude)
            except ClosedError:
                raise
            except ElfpackError as e:
                yield Failure(plain(program), e)

    @_while_open
    def programs(self) -> tuple[str, ...]:
        """Every program in the root: the paths of its ELF executables, and of scripts that may be
        executed, sorted. Links are left out. Looks into each directory and the start of each file.

        Raises:
            InputError: the root cannot be read.
        """
        # Imported late: it belongs to what checks whole trees.
        from elfpack.checking.find import find

        found = find(self.resolver.files)
        paths = [at.path for at in found.programs] + [place.path for place in found.scripts]
        return tuple(sorted(paths, key=encode))

    @property
    def plan_options(self) -> Options:
        """As :attr:`options`, for an image: it has to run on any machine of its kind, nothing is
        preloaded in it, and its programs are not set-id unless they keep their privileges."""
        return self.options._replace(
            cpu=self.cpu or hwcaps.BASELINE, preload="", preload_file=False, secure=False
        )

    @_while_open
    def borrowed(self, closure: Closure) -> tuple[Borrowed, ...]:
        """The needs of a closure that are met only because something else had loaded the object
        before: their own search would find another one, or nothing."""
        return self.resolver.borrowed(closure, self.again(closure))

    def again(self, closure: Closure) -> Options:
        """The options that a closure was resolved with."""
        if not closure.excluded:
            return self.options
        return self.options._replace(exclude=tuple(map(literal, closure.excluded)))

    @_while_open
    def symbols(self, closure: Closure) -> Binding:
        """The symbols that the objects of a closure look up in vain, and the versions that are
        not where they are wanted: what ``ldd -r`` tells."""
        return self._bound().bind(_closure(closure))

    @_while_open
    def newest_versions(self, closure: Closure) -> dict[str, str]:
        """The newest version of each family that the objects of a closure ask for:
        ``{"GLIBC": "2.34", "GLIBCXX": "3.4.29"}``."""
        from elfpack.loader.newest import newest_versions

        return newest_versions(_closure(closure), self._bound().linkages)

    def _bound(self) -> Binder:
        # Imported late: a closure alone needs none of it.
        from elfpack.loader.binding import Binder
        from elfpack.loader.linkages import Linkages

        if self._binder is None:
            self._binder = Binder(Linkages(self.resolver.files))
        return self._binder

    @_while_open
    def plan(
        self,
        programs: Iterable[Name],
        *,
        add: Iterable[Name] = (),
        mkdir: Iterable[str] = (),
        modules: Mapping[str, Choice] | None = None,
        allow_missing: Iterable[str] = (),
        exclude: Iterable[str] = (),
        epoch: int = 0,
        strip: bool = False,
        keep_privileges: bool = False,
        output: str | None = None,
        config: ImageConfig | None = None,
    ) -> Plan:
        """What an image needs for these programs to run in it as they do here.

        Args:
            programs: ``PROGRAM`` or ``PROGRAM:DEST``, as for ``elfpack layer``.
            add: ``SRC`` or ``SRC:DEST``: files and directories to add.
            mkdir: ``PATH``, ``PATH:MODE`` or ``PATH:MODE:UID:GID``: empty directories.
            modules: by name: False switches a runtime module off, True on; a text or several
                are its values, as in ``{"users": "app:1000:1000"}``.
            allow_missing: patterns of needed names that may be missing.
            exclude: patterns of needed names that are not followed.
            epoch: time of all entries, seconds since 1970 UTC.
            strip: drop symbol and debug sections from the ELF files packed.
            keep_privileges: keep setuid and setgid bits and file capabilities.
            output: where the plan will be written to; an earlier output of that name is left
                out, should it lie in a directory that is added.
            config: what the image will have besides its files, for
                :meth:`elfpack.Plan.write_image`; for a layer nobody knows.

        Raises:
            InputError: a program cannot be read, or is none.
            RequestError: the request contradicts itself.
            IncompleteError: something is missing; its ``findings`` list all of it.
        """
        # Imported late: what resolves closures alone needs none of it.
        from elfpack.api.planning import Plan
        from elfpack.api.request import make_request
        from elfpack.planning.config import PLAIN

        request = make_request(
            programs,
            add=add,
            mkdir=mkdir,
            modules=modules,
            allow_missing=allow_missing,
            exclude=exclude,
            epoch=epoch,
            strip=strip,
            keep_privileges=keep_privileges,
            output=output,
            config=PLAIN if config is None else config,
        )
        record = self._planned(request)  # close() in the middle of this call does not end it
        record.hints()  # while the root can be read
        if self._own is not None:
            self._own.release()  # a plan may be kept for long
        return Plan(record, self)

    @_while_open
    def planned(self, request: Request) -> Record:
        """The plan for a request, whose hints are looked for when they are asked for."""
        return self._planned(request)

    def _planned(self, request: Request) -> Record:
        from elfpack.planning.make import make

        options = self.plan_options._replace(secure=request.keep_privileges)
        return make(self.resolver, options, request)


def plan(
    programs: Iterable[Name],
    *,
    root: Name = "/",
    library_path: str = "",
    cpu: str | None = None,
    add: Iterable[Name] = (),
    mkdir: Iterable[str] = (),
    modules: Mapping[str, Choice] | None = None,
    allow_missing: Iterable[str] = (),
    exclude: Iterable[str] = (),
    epoch: int = 0,
    strip: bool = False,
    keep_privileges: bool = False,
    config: ImageConfig | None = None,
) -> Plan:
    """What an image needs for these programs to run in it as they do here.

    A session of its own (``root``, ``library_path`` and ``cpu`` as there) and one call of
    :meth:`Session.plan`, which tells the rest.
    """
    return Session(root, library_path=library_path, cpu=cpu).plan(
        programs,
        add=add,
        mkdir=mkdir,
        modules=modules,
        allow_missing=allow_missing,
        exclude=exclude,
        epoch=epoch,
        strip=strip,
        keep_privileges=keep_privileges,
        config=config,
    )
