"""Which functions consult which name service database, and which files that reads.

Source: glibc manual, "Name Service Switch"; the callers of __nss_database_get() in each database's
XXX-lookup.c; for getaddrinfo() sysdeps/posix/getaddrinfo.c (nss/getaddrinfo.c since 2.37); for Go
net/conf.go, net/lookup_unix.go, net/port_unix.go, net/hosts.go and os/user/lookup_unix.go.
"""

from __future__ import annotations

from elfpack.light import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final


def _family(stem: str, *lookups: str) -> tuple[str, ...]:
    """A database's functions with their reentrant forms and the three that enumerate."""
    listing = [f"get{stem}ent", f"set{stem}ent", f"end{stem}ent"]
    names = [*lookups, *listing]
    return (*names, *[f"{name}_r" for name in names if name.startswith("get")])


_PASSWD = (
    *_family("pw", "getpwnam", "getpwuid"),
    "getpw",
    "cuserid",
    "getlogin",
    "getlogin_r",
    "__getlogin_r_chk",
    "wordexp",
)
_GROUP = _family("gr", "getgrnam", "getgrgid")
_INITGROUPS = ("initgroups", "getgrouplist")
_HOSTS = (
    "getaddrinfo",
    "getnameinfo",
    "getaddrinfo_a",
    *_family("host", "gethostbyname", "gethostbyname2", "gethostbyaddr"),
    "gethostid",
    "rcmd",
    "rcmd_af",
    "rexec",
    "rexec_af",
    "ruserok",
    "ruserok_af",
    "iruserok",
    "iruserok_af",
    "__ivaliduser",
    "clnt_create",
    "callrpc",
    "getrpcport",
)
"""Those of RPC are glibc's own, for programs that were linked before 2.32, and libtirpc's."""
_SERVICES = (
    "getaddrinfo",
    "getnameinfo",
    "getaddrinfo_a",
    *_family("serv", "getservbyname", "getservbyport"),
)

_NETWORKS = _family("net", "getnetbyname", "getnetbyaddr")

DATABASES: Final[dict[str, tuple[str, ...]]] = {
    "passwd": _PASSWD,
    "group": (*_GROUP, *_INITGROUPS),
    "initgroups": (),
    "hosts": _HOSTS,
    "networks": _NETWORKS,
    "services": _SERVICES,
    "protocols": (*_family("proto", "getprotobyname", "getprotobynumber"), "clnt_create"),
    "rpc": _family("rpc", "getrpcbyname", "getrpcbynumber"),
    "ethers": ("ether_hostton", "ether_ntohost"),
    "netgroup": ("getnetgrent", "getnetgrent_r", "setnetgrent", "endnetgrent", "innetgr"),
    "aliases": _family("alias", "getaliasbyname"),
}
"""Database, in the order of nsswitch.conf, and the functions that consult it. The group line
serves initgroups too. shadow and gshadow are left out: elfpack packs no secrets, and their
functions read nothing without them."""

GO_DATABASES: Final[dict[str, tuple[str, ...]]] = {
    "hosts": (
        "net.(*Resolver).goLookupIPCNAMEOrder",
        "net.goLookupIPCNAMEOrder",
        "net.goLookupIPOrder",
        "net.lookupStaticHost",
        "net.lookupStaticAddr",
    ),
    "services": ("net.readServices",),
    "protocols": ("net.readProtocols",),
}
"""The same for Go's own look-ups, which open no library: the functions that read the files. Of
``nsswitch.conf`` Go reads the line of hosts alone."""
_GO_ACCOUNTS = (
    "os/user.findUserId",
    "os/user.findUsername",
    "os/user.findGroupId",
    "os/user.findGroupName",
    "os/user.listGroupsFromReader",
    "os/user.readColonFile",
)

ACCOUNTS: Final = (
    *[name for name in _PASSWD if name != "wordexp"],
    *_GROUP,
    *_INITGROUPS,
    *_GO_ACCOUNTS,
)
"""The functions that need /etc/passwd or /etc/group. wordexp() does for ``~user`` only."""

RESOLVER_FILES: Final[dict[str, tuple[str, ...]]] = {
    "/etc/host.conf": (*_HOSTS, *_NETWORKS),
    "/etc/gai.conf": ("getaddrinfo", "getaddrinfo_a"),
}
"""What the resolver reads besides the databases."""

DATABASE_FILES: Final[dict[str, str]] = {
    "networks": "/etc/networks",
    "services": "/etc/services",
    "protocols": "/etc/protocols",
    "rpc": "/etc/rpc",
    "ethers": "/etc/ethers",
    "netgroup": "/etc/netgroup",
    "aliases": "/etc/aliases",
}
"""What the service ``files`` reads for a database. passwd and group are made by the module
``users``; /etc/hosts is written by the container engine."""

SERVICE_FILES: Final[dict[str, tuple[str, ...]]] = {
    "hesiod": ("/etc/hesiod.conf",),
    "mdns": ("/etc/mdns.allow",),
    "mdns4": ("/etc/mdns.allow",),
    "mdns6": ("/etc/mdns.allow",),
}
"""What other services read. Source: glibc hesiod/hesiod.c; nss-mdns, README."""
