"""Account databases: made by elfpack, never the host's."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.runtime.databases import ACCOUNTS
from elfpack.runtime.module import AddDirectory, Addition, AddText, View

if TYPE_CHECKING:
    from typing import ClassVar

_PASSWD = (
    "root:x:0:0:root:/root:/bin/sh\n",
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
)
_GROUP = ("root:x:0:\n", "nogroup:x:65534:\n")
_MOST = 2**32 - 2
"""The highest id: (uid_t) -1 stands for "no change"."""


class User(NamedTuple):
    name: str
    uid: int
    gid: int


class Users:
    """``/etc/passwd`` and ``/etc/group``."""

    name: ClassVar[str] = "users"
    summary: ClassVar[str] = "/etc/passwd and /etc/group with root and nobody"
    when: ClassVar[str] = "account functions (getpw*, getgr*, ...) are imported"
    value: ClassVar[str | None] = "NAME:UID:GID"
    needs_value: ClassVar[bool] = False
    sees_own: ClassVar[bool] = False

    def parse(self, value: str) -> object:
        name, *numbers = value.split(":")
        if len(numbers) != 2 or not all(n.isascii() and n.isdigit() for n in numbers):
            raise ValueError("write NAME:UID:GID, as in app:1000:1000")
        uid, gid = map(int, numbers)
        if not name or not name.isascii() or not name.replace("-", "a").replace("_", "a").isalnum():
            raise ValueError(f"{name!r} is no user name: letters, digits, '-' and '_'")
        if name[0] == "-" or name[0].isdigit() or uid > _MOST or gid > _MOST:
            raise ValueError("a name starts with a letter, ids are below 2^32-1")
        if name in ("root", "nobody"):
            raise ValueError(f"{name} is there already")
        return User(name, uid, gid)

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        found = view.importers(ACCOUNTS)
        if chosen is None and not found:
            return
        evidence = found[0] if found else None
        users = list({u.name: u for u in chosen or () if isinstance(u, User)}.values())
        passwd = [f"{u.name}:x:{u.uid}:{u.gid}::/home/{u.name}:/bin/sh\n" for u in users]
        known = {"root", "nogroup"}
        group = [f"{u.name}:x:{u.gid}:\n" for u in users if u.name not in known]
        yield AddText("/etc/passwd", "".join((*_PASSWD, *passwd)), evidence)
        yield AddText("/etc/group", "".join((*_GROUP, *group)), evidence)
        for user in users:
            yield AddDirectory(f"/home/{user.name}", 0o755, (user.uid, user.gid), evidence)
