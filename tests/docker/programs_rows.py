"""Real programs of Debian, each with what it needs beyond what the loader shows."""

from __future__ import annotations

import platform

from tests.docker.program import BARE, Naive, Program
from tests.docker.rows import library

_LIB = f"/usr/lib/{platform.machine()}-linux-gnu"


def _getent(
    args: str, says: str = "", status: int = 0, fails: int | None = 2, instead: str | None = None
) -> Program:
    """A look-up. Where it fails without modules, it does so silently, with ``fails``."""
    return Program(
        f"getent {args}",
        "/usr/bin/getent",
        args,
        says=says,
        status=status,
        instead=instead,
        naive=() if fails is None else (Naive("", fails),),
        case=(30, 32) if args.split()[0] in ("services", "protocols") else (30,),
    )


LOOKUPS = (
    _getent("passwd root", instead="root:x:0:0:root:/root:/bin/sh\n"),
    _getent("passwd nobody", "nobody:x:65534:65534"),
    _getent("group root", "root:x:0:"),
    _getent("initgroups root", "root", fails=None),
    _getent("hosts 127.0.0.1", "localhost", fails=None),
    _getent("ahosts 127.0.0.1", "127.0.0.1", fails=None),
    _getent("ahostsv4 localhost", "127.0.0.1", fails=None),
    _getent("ahostsv6 ::1", "::1", fails=None),
    _getent("services http", "80/tcp"),
    _getent("services 53/udp", "domain"),
    _getent("protocols tcp", "6 TCP"),
    _getent("networks loopback", "127.0.0.0"),
    _getent("rpc portmapper", "100000"),
    _getent("ethers nobody.example", status=2),
    _getent("netgroup nobody", status=2),
    _getent("aliases nobody.example", status=2),
    _getent("shadow nosuchuser", status=2),
    Program(
        "id -un",
        "/usr/bin/id",
        "-un",
        says="root",
        case=(25,),
        naive=(Naive("cannot find name for user ID 0"),),
    ),
    Program(
        "ssh -G",
        "/usr/bin/ssh --add /etc/ssh/ssh_config --add /etc/ssh/ssh_config.d",
        "-G host.example",
        says="\nuser root\n",
        case=(26,),
        naive=(Naive("No user exists for uid 0", 255),),
    ),
    Program(
        "ssh, nobody listens",
        "/usr/bin/ssh --add /etc/ssh/ssh_config --add /etc/ssh/ssh_config.d",
        "-4 -p 1 localhost true",
        says="connect to host localhost port 1: Connection refused",
        status=255,
        case=(26,),
        naive=(Naive("No user exists for uid 0", 255),),
    ),
    Program(
        "psql --version",
        "/usr/lib/postgresql/15/bin/psql",
        "--version",
        says="psql (PostgreSQL) 15",
        case=(27,),
    ),
    Program(
        "psql -l",
        "/usr/lib/postgresql/15/bin/psql",
        "-l -h 127.0.0.1 -p 1",
        says='connection to server at "127.0.0.1", port 1 failed: Connection refused',
        status=2,
        case=(27,),
        naive=(Naive("could not look up local user ID 0: user does not exist", 2),),
    ),
    Program(
        "psql -c",
        "/usr/lib/postgresql/15/bin/psql",
        "-h no.such.invalid -c 'select 1'",
        says='could not translate host name "no.such.invalid" to address',
        status=2,
        case=(27,),
        stderr=False,
    ),
)

PROGRAMS = (*LOOKUPS,)
