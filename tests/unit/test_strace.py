"""The log of strace: each of its forms is one row, and so is what a run used by it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from elfpack.formats import strace
from elfpack.formats.strace import Call, events, split, starts, unquoted
from elfpack.runtime.traced import Run, used


def _lines(log: str) -> list[bytes]:
    return [line.encode("utf-8", "surrogateescape") for line in log.split("\n")]


@dataclass(frozen=True)
class Form:
    name: str
    log: str
    calls: list[str]
    """``PROCESS call DESCRIPTOR:name ... = RESULT``."""


def _word(call: Call) -> str:
    names = [f"{n.descriptor.decode()}:{n.text}" for n in call.names]
    outcome = (call.result or call.error).decode()
    return " ".join([call.process.decode() or "-", call.name, *names, "=", outcome])


_OPEN = 'openat(AT_FDCWD, "/a", O_RDONLY) = 3'
_OPENED = "openat AT_FDCWD:/a = 3"

FORMS = [
    Form("one process", _OPEN, [f"- {_OPENED}"]),
    Form("-f", f"123 {_OPEN}", [f"123 {_OPENED}"]),
    Form("-f, a short number", f"7     {_OPEN}", [f"7 {_OPENED}"]),
    Form("-f on standard error", f"[pid   123] {_OPEN}", [f"123 {_OPENED}"]),
    Form("-Y", f"123<sh> {_OPEN}", [f"123 {_OPENED}"]),
    Form("-Y on standard error", f"[pid 123<a b>] {_OPEN}", [f"123 {_OPENED}"]),
    Form("-t", f"123 19:17:23 {_OPEN}", [f"123 {_OPENED}"]),
    Form("-t of one process", f"19:17:23 {_OPEN}", [f"- {_OPENED}"]),
    Form("-tt", f"123 19:17:23.198515 {_OPEN}", [f"123 {_OPENED}"]),
    Form("-ttt", f"123 1795547842.477173 {_OPEN}", [f"123 {_OPENED}"]),
    Form("-ttt of one process", f"1795547842.477173 {_OPEN}", [f"- {_OPENED}"]),
    Form("-r", f"123      0.000032 {_OPEN}", [f"123 {_OPENED}"]),
    Form("-r of one process", f"     0.000032 {_OPEN}", [f"- {_OPENED}"]),
    Form("-r -t", f"123 19:17:23 (+     0.000032) {_OPEN}", [f"123 {_OPENED}"]),
    Form("-n -i", f"123 [ 257] [00007ff72dd1618f] {_OPEN}", [f"123 {_OPENED}"]),
    Form("-T", f"123 {_OPEN} <0.000009>", [f"123 {_OPENED}"]),
    Form("aligned results", '123 chdir("/a")                        = 0', ["123 chdir :/a = 0"]),
    Form(
        "-y",
        '1 openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>\n1 openat(3</w/a>, "b", O_PATH) = 4</w/b>',
        ["1 openat AT_FDCWD:a = 3", "1 openat 3:b = 4"],
    ),
    Form(
        "-yy",
        'openat(3</dev/pts<char 1:3>>, "0", O_RDWR) = 4</dev/pts/0<char 136:0>>',
        ["- openat 3:0 = 4"],
    ),
    Form("-xx", r'open("\x2f\x61\xc3\xa9", O_RDONLY) = 3', ["- open :/aé = 3"]),
    Form("-x and octal", r'open("/\1\"\\\303\251\n", O_RDONLY) = 3', ['- open :/\1"\\é\n = 3']),
    Form("octal before a digit", r'open("/\0011\7x", O_RDONLY) = 3', ["- open :/\0011\7x = 3"]),
    Form("not UTF-8", r'open("/\377", O_RDONLY) = 3', ["- open :/\udcff = 3"]),
    Form("raw bytes", 'open("/\udcff", O_RDONLY) = 3', ["- open :/\udcff = 3"]),
    Form(
        "what looks like a result in a name",
        'open("/) = 7", O_RDONLY) = 3',
        ["- open :/) = 7 = 3"],
    ),
    Form(
        "what looks like one in a decoration",
        'openat(3</) = 8 "x>, "a", O_RDONLY) = 4</) = 9>',
        ["- openat 3:a = 4"],
    ),
    Form(
        "labels of --secontext",
        'openat(AT_FDCWD, "/a" [system_u:object_r:etc_t:s0], O_RDONLY) = 3',
        [f"- {_OPENED}"],
    ),
    Form("a deleted directory", 'openat(3</w>(deleted), "a", O_RDONLY) = 4', ["- openat 3:a = 4"]),
    Form("a cut name", 'open("/aaaa"..., O_RDONLY) = 3', ["- open = 3"]),
    Form("no name", "stat(NULL, 0x7ff) = -1 EFAULT (Bad address)", ["- stat = EFAULT"]),
    Form("a name with NUL", r'open("/a\0b", O_RDONLY) = 3', ["- open = 3"]),
    Form("a name as long as none is", f'open("/{"a" * 4095}", O_RDONLY) = 3', ["- open = 3"]),
    Form("failed", 'access("/a", R_OK) = -1 ENOENT (No such file)', ["- access :/a = ENOENT"]),
    Form("never came back", 'open("/a", O_RDONLY) = ?', ["- open :/a = "]),
    Form(
        "restarted",
        'open("/a", O_RDONLY) = ? ERESTARTSYS (To be restarted)',
        ["- open :/a = ERESTARTSYS"],
    ),
    Form(
        "unfinished and resumed, between others",
        '1 openat(AT_FDCWD, "/a", O_RDONLY <unfinished ...>\n'
        '2 openat(AT_FDCWD, "/b", O_RDONLY <unfinished ...>\n'
        "1 <... openat resumed>) = 3\n"
        "2 <... openat resumed> ) = 4",
        ["1 openat AT_FDCWD:/a = 3", "2 openat AT_FDCWD:/b = 4"],
    ),
    Form(
        "unfinished before the next argument",
        '1 newfstatat(AT_FDCWD, "/a",  <unfinished ...>\n1 <... newfstatat resumed>{...}, 0) = 0',
        ["1 newfstatat AT_FDCWD:/a = 0"],
    ),
    Form(
        "resumed with times",
        '1 1.5 stat("/a",  <unfinished ...>\n2 1.6 +++ exited with 0 +++\n'
        "1 1.7 <... stat resumed>{...}) = 0 <0.1>",
        ["1 stat :/a = 0"],
    ),
    Form(
        "unfinished more than once",
        '1 openat(AT_FDCWD, "/a", <unfinished ...>\n'
        + "1 <... openat resumed>O_RDONLY <unfinished ...>\n"
        + "1 <... openat resumed>) = 3",
        [f"1 {_OPENED}"],
    ),
    Form("a damaged end", f'1 openat(AT_FDCWD, "/b", nfinished ...>\n1 {_OPEN}', [f"1 {_OPENED}"]),
    Form(
        "unfinished over and over",
        '1 openat(AT_FDCWD, "/a", <unfinished ...>\n'
        + "1 <... openat resumed>O_RDONLY| <unfinished ...>\n" * 1000
        + "1 <... openat resumed>) = 3",
        [],
    ),
    Form("resumed without a beginning", "1 <... openat resumed>) = 3", []),
    Form(
        "unfinished without an end", '1 open("/a" <unfinished ...>\n1 +++ killed by SIGKILL +++', []
    ),
    Form(
        "another call was resumed",
        '1 open("/a", O_RDONLY <unfinished ...>\n1 <... stat resumed>) = 0',
        [],
    ),
    Form(
        "execve() in a thread",
        '2 execve("/bin/a", ["a"], 0x7ff /* 2 vars */ <pid changed to 1 ...>\n'
        "1 +++ superseded by execve in pid 2 +++\n"
        "1 <... execve resumed>) = 0",
        ["1 execve :/bin/a = 0"],
    ),
    Form(
        "execve() in a thread, unfinished",
        '2 execve("/bin/a", ["a"], 0x7ff /* 2 vars */ <unfinished ...>\n'
        "1 +++ superseded by execve in pid 2 +++\n"
        "1 <... execve resumed>) = 0",
        ["1 execve :/bin/a = 0"],
    ),
    Form(
        "two names",
        'rename("/a", "/b") = 0\nsymlinkat("t", 3, "l") = 0\nlinkat(4, "a", AT_FDCWD, "b", 0) = 0',
        ["- rename :/a :/b = 0", "- symlinkat :t 3:l = 0", "- linkat 4:a AT_FDCWD:b = 0"],
    ),
    Form("a descriptor alone", "fchdir(3</a>)     = 0", ["- fchdir 3: = 0"]),
    Form(
        "the descriptor itself",
        'newfstatat(3, "", {st_mode=S_IFREG|0644, ...}, AT_EMPTY_PATH) = 0',
        ["- newfstatat 3: = 0"],
    ),
    Form("other calls", "close(3) = 0\nmmap(NULL, 4096) = 0x7f\nclone() = 4", []),
    Form(
        "what is no line of it",
        "strace: Process 4 attached\n% time seconds\n > /lib/libc.so.6(open64+0x5a) [0x1]\n\n"
        '{"json": "open(\\"/a\\") = 3"}\nopen(\nopen("/a\nopen("/a", O_RDONLY)\n\xff\udcff',
        [],
    ),
    Form("signals and ends", "1 --- SIGCHLD {si_pid=2} ---\n1 +++ exited with 0 +++", []),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_form(form: Form) -> None:
    found = [_word(event) for event in events(_lines(form.log)) if isinstance(event, Call)]
    assert found == form.calls


def test_decorations_are_paths() -> None:
    log = 'openat(3</w<dir>>, "a", O_PATH) = 4</w/a>\nopenat(5<pipe:[7]>, "a", O_PATH) = 6<TCP:[1]>'
    found = [e for e in events(_lines(log)) if isinstance(e, Call)]
    assert [(call.names[0].shown, call.real) for call in found] == [("/w", "/w/a"), (None, None)]


def test_constants_of_a_call() -> None:
    log = 'openat2(3, "O_EXCL", {flags=O_RDONLY|O_CREAT, resolve=RESOLVE_BENEATH}, 24) = 4'
    (call,) = events(_lines(log))
    assert isinstance(call, Call)
    assert call.words == {b"O_RDONLY", b"O_CREAT"}


def test_who_started_whom() -> None:
    log = (
        "1 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 2\n"
        "1 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD, stack=0x7f} => {parent_tid=[3]}, 88) = 3\n"
        "1 clone(flags=CLONE_VM|CLONE_THREAD <unfinished ...>\n"
        "1 <... clone resumed>) = 4\n"
        "1 vfork() = 5\n"
        "6 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=7, si_uid=0} ---"
    )
    found = {s.process: (s.parent, s.thread) for s in starts(_lines(log))}
    assert found == {
        b"2": (b"1", False),
        b"3": (b"1", True),
        b"4": (b"1", True),
        b"5": (b"1", False),
        b"7": (b"6", False),
    }


def test_lines_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strace, "LONGEST", 8)
    text = b"one\n\ntwo\nlonger than that\nthree\nlast"
    for size in range(1, len(text) + 1):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert list(split(pieces)) == [b"one", b"", b"two", b"three", b"last"], size


def test_escapes() -> None:
    assert unquoted(rb"\t\n\r\v\f\"\\\x41\101\0") == b'\t\n\r\v\f"\\AA\0'


@dataclass(frozen=True)
class Case:
    name: str
    log: str
    uses: list[str]
    """``how path by program``, the last left out if unknown."""


def _uses(run: Run) -> list[str]:
    return [f"{u.how} {u.path}" + (f" by {u.by}" if u.by else "") for u in run.uses]


_EXEC = '1 execve("/bin/sh", ["sh"], 0x7ff /* 9 vars */) = 0\n'

CASES = [
    Case("opened", _OPEN, ["opened /a"]),
    Case(
        "each once, with who was first",
        f'{_EXEC}1 {_OPEN}\n1 execve("/bin/ls", ["ls"], 0x7ff) = 0\n1 {_OPEN}\n'
        '1 stat("/b", {}) = 0',
        ["executed /bin/sh", "opened /a by sh", "executed /bin/ls by sh", "found /b by ls"],
    ),
    Case(
        "what fails is left out",
        'execve("/x", ["x"], 0x7ff) = -1 ENOENT (No)\nopen("/a", O_RDONLY) = -1 EACCES ()\n'
        'stat("/b", 0x7ff) = ?',
        [],
    ),
    Case(
        "looked at",
        'access("/a", R_OK) = 0\nstatx(AT_FDCWD, "/b", AT_STATX_SYNC_AS_STAT, STATX_ALL, {}) = 0\n'
        'statx(AT_FDCWD, "/c", AT_SYMLINK_NOFOLLOW, STATX_ALL, {}) = 0\nlstat("/d", {}) = 0\n'
        'readlink("/e", "t"..., 99) = 9\nopenat(AT_FDCWD, "/f", O_PATH) = 3\n'
        'openat(AT_FDCWD, "/g", O_PATH|O_NOFOLLOW) = 3',
        ["found /a", "found /b", "link /c", "link /d", "link /e", "found /f", "link /g"],
    ),
    Case(
        "what it made is no input",
        'open("/d/a", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3\nopen("/d/a", O_RDONLY) = 4\n'
        'mkdir("/d/e", 0777) = 0\nstat("/d/e", {}) = 0\ncreat("/d/f", 0666) = 5\n'
        'rename("/d/f", "/d/g") = 0\nopen("/d/g", O_RDONLY) = 6',
        ["written /d"],
    ),
    Case(
        "what was read before it was written is",
        'open("/d/a", O_RDONLY) = 3\nopen("/d/a", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 4',
        ["opened /d/a", "written /d"],
    ),
    Case(
        "appended to, and read",
        'open("/d/a", O_WRONLY|O_CREAT|O_APPEND, 0666) = 3\nopen("/d/a", O_RDONLY) = 4',
        ["written /d", "opened /d/a"],
    ),
    Case("written without O_CREAT: it was there", 'open("/a", O_WRONLY) = 3', ["opened /a"]),
    Case("O_RDWR and O_CREAT: a database", 'open("/a", O_RDWR|O_CREAT, 0644) = 3', ["opened /a"]),
    Case(
        "the same where there was none",
        'stat("/d/a", 0x7f) = -1 ENOENT (No)\nopen("/d/a", O_RDWR|O_CREAT, 0644) = 3\n'
        'open("/d/a", O_RDONLY) = 4',
        ["written /d"],
    ),
    Case("a file without a name", 'open("/d", O_RDWR|O_TMPFILE, 0600) = 3', ["written /d"]),
    Case(
        "a directory's descriptor",
        'openat(AT_FDCWD, "/d", O_RDONLY|O_DIRECTORY) = 5\nopenat(5, "x/y", O_RDONLY) = 6',
        ["opened /d", "opened /d/x/y"],
    ),
    Case(
        "the number is given anew",
        'open("/d", O_RDONLY) = 5\nopen("/e", O_RDONLY) = 5\nopenat(5, "x", O_RDONLY) = 6',
        ["opened /d", "opened /e", "opened /e/x"],
    ),
    Case("-y tells the directory", 'openat(5</d>, "x", O_RDONLY) = 6</d/x>', ["opened /d/x"]),
    Case("-y tells a file alone", 'openat(5, "x", O_RDONLY) = 6</d/x>', ["opened /d/x"]),
    Case(
        "chdir() and fchdir()",
        'chdir("/d") = 0\nopen("a", O_RDONLY) = 3\nchdir("e") = 0\nopen("a", O_RDONLY) = 3\n'
        'open("/f", O_RDONLY|O_DIRECTORY) = 4\nfchdir(4) = 0\nopen("a", O_RDONLY) = 3\n'
        'chdir("/gone") = -1 ENOENT (No)\nopen("b", O_RDONLY) = 3',
        [
            *("found /d", "opened /d/a", "found /d/e", "opened /d/e/a"),
            *("opened /f", "opened /f/a", "opened /f/b"),
        ],
    ),
    Case(
        "from where the run began",
        'open("a", O_RDONLY) = 3\nchdir("..") = 0\nopen("b", O_RDONLY) = 3\n'
        'open("./c", O_RDONLY) = 3',
        ["opened a", "found ..", "opened ../b", "opened .././c"],
    ),
    Case(
        "a child has its parent's directory, and changes its own",
        '1 chdir("/d") = 0\n2 chdir("e") = 0\n2 open("a", O_RDONLY) = 3\n'
        '1 open("b", O_RDONLY) = 3\n'
        "1 --- SIGCHLD {si_signo=SIGCHLD, si_pid=2, si_uid=0} ---",
        ["found /d", "found /d/e", "opened /d/e/a", "opened /d/b"],
    ),
    Case(
        "a child has its parent's descriptors",
        '1 open("/d", O_RDONLY) = 5\n2 openat(5, "a", O_RDONLY) = 6\n'
        "1 --- SIGCHLD {si_signo=SIGCHLD, si_pid=2, si_uid=0} ---",
        ["opened /d", "opened /d/a"],
    ),
    Case(
        "of two parents the one that the end tells",
        '1 chdir("/d") = 0\n2 chdir("/e") = 0\n3 open("a", O_RDONLY) = 3\n'
        "1 --- SIGCHLD {si_signo=SIGCHLD, si_pid=2, si_uid=0} ---\n"
        "1 --- SIGCHLD {si_signo=SIGCHLD, si_pid=3, si_uid=0} ---",
        ["found /d", "found /e", "opened /d/a"],
    ),
    Case(
        "a thread has one directory with its process",
        '1 chdir("/d") = 0\n2 chdir("/e") = 0\n1 open("a", O_RDONLY) = 3',
        ["found /d", "found /e", "opened /e/a"],
    ),
    Case(
        "clone() tells, also where it comes back late",
        '1 chdir("/d") = 0\n1 clone(flags=CLONE_CHILD_SETTID|SIGCHLD <unfinished ...>\n'
        '2 chdir("/e") = 0\n1 <... clone resumed>) = 2\n1 open("a", O_RDONLY) = 3',
        ["found /d", "found /e", "opened /d/a"],
    ),
    Case(
        "a program that a thread executes stands alone",
        f'{_EXEC}2 execve("/bin/a", ["a"], 0x7f) = 0\n2 chdir("/e") = 0\n'
        '1 open("/b", O_RDONLY) = 3',
        ["executed /bin/sh", "executed /bin/a by sh", "found /e by a", "opened /b by sh"],
    ),
    Case(
        "chroot()",
        'chroot("/r") = 0\nopen("/a", O_RDONLY) = 3\nchdir("/b") = 0\nopen("c", O_RDONLY) = 3',
        ["opened /r/a", "found /r/b", "opened /r/b/c"],
    ),
    Case(
        "execveat() of a descriptor",
        'open("/d/p", O_PATH) = 3\nexecveat(3, "", ["p"], 0x7f, AT_EMPTY_PATH) = 0\n'
        'open("/a", O_RDONLY) = 4',
        ["found /d/p", "executed /d/p", "opened /a by p"],
    ),
    Case("what is open is not looked up", 'newfstatat(3, "", {}, AT_EMPTY_PATH) = 0', []),
    Case("two links", 'symlink("/t", "/d/l") = 0\nlink("/a", "/d/h") = 0', ["written /d"]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_used(case: Case) -> None:
    assert _uses(used(_lines(case.log))) == case.uses


STARTS = [
    ("getcwd() tells", 'open("a", O_RDONLY) = 3\ngetcwd("/w", 4096) = 3', "/w"),
    ("-y tells", 'openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>', "/w"),
    ("getcwd() somewhere else does not", 'chdir("x") = 0\ngetcwd("/w/x", 4096) = 5', None),
    ("nothing tells", 'open("a", O_RDONLY) = 3', None),
]


@pytest.mark.parametrize(("name", "log", "start"), STARTS, ids=lambda value: str(value)[:30])
def test_where_the_run_began(name: str, log: str, start: str | None) -> None:
    assert used(_lines(log)).start == start


def test_relative_to_nobody_knows_what() -> None:
    run = used(_lines('openat(9, "x", O_RDONLY) = 3\nopenat(9, "y", O_RDONLY) = -1 ENOENT (No)'))
    assert (run.uses, run.unclear, run.calls) == ((), ("x",), 2)


def test_a_log_of_nothing() -> None:
    assert used([]).calls == 0
    assert used(_lines("close(3) = 0\nwhatever")).calls == 0


def test_hostile_logs_take_no_more_time_than_others() -> None:
    """Each of these was thought of as one that could make a pattern or a table grow."""
    many = 20_000
    for log in (
        "<" * many,
        '1 open("' + "\\" * many,
        "openat(3" + "<a" * many + "<b>" * many,
        "[1] " * many + "open",
        "1 " * many,
        '1 open("/a"' + ", {" * many + ") = " * many,
        "\n".join(f'{n} open("/{n}", O_RDONLY) = {n}' for n in range(many)),
        "\n".join(f'1 open("/{n}", O_RDONLY <unfinished ...>' for n in range(many)),
        "\n".join('1 chdir("abcdefghijklmnop") = 0' for _ in range(many)),
    ):
        used(_lines(log))


@pytest.mark.parametrize(
    "line",
    [
        b'1 open("' + b'\\"' * 200_000,
        b'1 open("a", ' + b'"' * 200_001,
        b"1 --- SIGCHLD {" + b"SIGCHLD {" * 90_000,
        b'1 open("a") <' + b"<a>" * 200_000,
        b"1 openat(3<" + b"<" * 300_000 + b', "a") = 3',
    ],
    ids=lambda line: repr(line[:24]),
)
def test_a_line_that_never_ends_takes_no_time(line: bytes) -> None:
    before = time.process_time()
    list(events([line]))
    assert time.process_time() - before < 20, "linear takes a part of a second"
