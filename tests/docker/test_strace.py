"""What a traced run used is enough for another one from scratch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docker.conftest import Line, Report
from tests.docker.engine import ENVIRONMENT, Engine, Outcome, on_host, run
from tests.docker.packing import build, elfpack, layer, need, words

TRACE = ("strace", "-f", "-e", "trace=%file,execve")


@dataclass(frozen=True)
class Row:
    name: str
    program: str
    """What is packed; it is run as the first of the words."""
    args: str
    says: str
    build: tuple[str, ...] = ()
    lacks: bool = True
    """It fails without the log."""


ROWS = (
    Row(
        "python3, ssl",
        "/usr/bin/python3",
        "-c 'import ssl; print(ssl.OPENSSL_VERSION)'",
        "OpenSSL 3.",
    ),
    Row("perl, POSIX", "/usr/bin/perl", "-MPOSIX -e 'print POSIX::floor(3.7), qq(\\n)'", "3\n"),
    Row("ruby", "/usr/bin/ruby", "-rset -e 'puts Set.new([3, 1, 3]).size'", "2\n"),
    Row("php, mbstring", "/usr/bin/php", "-r 'echo mb_strtoupper(\"aé\"), PHP_EOL;'", "AÉ\n"),
    Row("java -version", "/usr/bin/java", "-version", ""),
    Row("node", "/usr/bin/node", "-e 'console.log(1 + 1)'", "2\n", lacks=False),
    Row("git --version", "/usr/bin/git", "--version", "git version", lacks=False),
    Row(
        "a shell and what it runs",
        "/bin/sh",
        "-c 'cd /usr/share && cat common-licenses/BSD | head -n3; sed 1q ../lib/os-release; id -u'",
        "Copyright (c)",
    ),
    Row(
        "names that count from directories",
        "./names",
        "",
        "./common-licenses/GPL: 64 bytes",
        ("gcc -o names {src}/names.c",),
    ),
)


def _trace(row: Row, here: Path, *options: str) -> Outcome:
    need("strace")
    program = words(row.program, here)[0]
    command = [*TRACE, *options, "-o", str(here / "LOG"), program, *words(row.args, here)]
    return run(command, here, ENVIRONMENT)


def _contained(row: Row, engine: Engine, here: Path, more: str) -> tuple[Outcome, int]:
    told, _ = layer(f"{row.program} {more}", "x.tar", here)
    with engine.imported(told, here) as image:
        inside = image.run(words(row.args, here))
    return inside, (here / "x.tar").stat().st_size


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: Row, engine: Engine, tmp_path: Path, report: Report) -> None:
    build(row.build, tmp_path)
    if row.program.startswith("/"):
        need(row.program)
    traced = _trace(row, tmp_path)
    outside = on_host([*words(row.program, tmp_path), *words(row.args, tmp_path)], tmp_path)
    assert traced == outside, "strace changes nothing"
    assert outside.status == 0, outside
    assert row.says.encode() in outside.stdout, outside
    inside, size = _contained(row, engine, tmp_path, "--with strace=LOG")
    report(Line(f"{row.name}, traced", outside.status, inside.status, inside == outside, size))
    assert inside == outside
    if row.lacks:
        without, _ = _contained(row, engine, tmp_path, "")
        assert without != outside


OPTIONS = [
    *("-y", "-yy", "-x", "-xx", "-t", "-tt", "-ttt", "-r", "-T", "-Y", "-n", "-i", "-k", "-v"),
    *("-yy -xx -ttt -T -Y", "-s 4096", "-z", "-a 80", "-e trace=%file,%process", "-e trace=all"),
]


@pytest.mark.parametrize("options", OPTIONS)
def test_every_form_of_a_log_tells_the_same(options: str, tmp_path: Path) -> None:
    row = next(row for row in ROWS if row.program == "./names")
    build(row.build, tmp_path)
    assert _trace(row, tmp_path).status == 0
    plain = _plan(tmp_path)
    assert _trace(row, tmp_path, *options.split()).status == 0
    assert _plan(tmp_path) == plain


def _plan(here: Path) -> list[str]:
    done = elfpack(["layer", "./names", "--with", "strace=LOG", "--dry-run"], here)
    assert done.status == 0, done
    return done.stdout.decode().splitlines()


def test_private_things_stay_where_they_are(engine: Engine, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n")
    row = Row("", "/bin/sh", f"-c 'cat {key} /etc/hosts /proc/self/maps > /dev/null'", "")
    assert _trace(row, tmp_path).status == 0
    _, done = layer("/bin/sh --with strace=LOG", "x.tar", tmp_path)
    note = next(line for line in done.stderr.decode().splitlines() if "LOG: left out" in line)
    for name in ("/proc/self/maps", str(key), "/etc/hosts"):
        assert name in note
