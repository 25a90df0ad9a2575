"""Roots of other machines and of an older release, made of Debian's packages without touching
this machine's dpkg.

apt gets a private configuration: an empty status, lists and archives of its own, the machine's
sources and keys. Nothing is installed: the packages are unpacked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.oracle.realloader import listed

_USUAL = ("bash", "coreutils", "curl", "openssl", "sqlite3", "libstdc++6", "libpam-modules")
_USRMERGE = ("bin", "sbin", "lib")
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Unreachable(Exception):
    """The packages cannot be had: the archive does not answer."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One sysroot: what is in it and who runs its loader."""

    name: str
    """Debian's name of the architecture."""
    qemu: str
    loader: str
    packages: tuple[str, ...] = (*_USUAL, "libc-bin")
    architecture: str = ""
    """Of the packages, if it is not :attr:`name`."""
    links: tuple[tuple[str, str], ...] = tuple((name, f"usr/{name}") for name in _USRMERGE)
    """Links at the top, with their targets: a merged /usr."""
    release: str = ""
    """Debian's name of the release that the packages are of, if it is not this machine's."""


# Debian 12 has this machine's libraries as those of a cross compiler only, and no programs.
_RISCV = ("libc6", "libstdc++6", "libgcc-s1", "libgomp1", "libatomic1", "libasan8", "libobjc4")
_RISCV_LANGUAGES = ("libgfortran5", "libgphobos3", "libgo21", "libgnat-12", "libgm2-17")

OLDER = Machine(
    name="bullseye",
    release="bullseye",
    architecture="amd64",
    qemu="x86_64",
    loader="/lib64/ld-linux-x86-64.so.2",
    packages=(*_USUAL, "libc-bin", "libc6-dev", "netbase"),
    links=tuple((name, f"usr/{name}") for name in (*_USRMERGE, "lib64")),
)
"""glibc 2.31, of before libpthread and the name services became part of libc.so.6."""

MACHINES = (
    OLDER,
    Machine(name="arm64", qemu="aarch64", loader="/lib/ld-linux-aarch64.so.1"),
    Machine(name="armhf", qemu="arm", loader="/lib/ld-linux-armhf.so.3"),
    Machine(
        name="riscv64",
        qemu="riscv64",
        loader="/lib/ld-linux-riscv64-lp64d.so.1",
        packages=tuple(f"{name}-riscv64-cross" for name in (*_RISCV, *_RISCV_LANGUAGES)),
        architecture="amd64",
        links=(("lib", "usr/riscv64-linux-gnu/lib"),),
    ),
    Machine(
        name="ppc64el",
        qemu="ppc64le",
        loader="/lib64/ld64.so.2",
        links=tuple((name, f"usr/{name}") for name in (*_USRMERGE, "lib64")),
    ),
    Machine(name="s390x", qemu="s390x", loader="/lib/ld64.so.1"),
    Machine(name="i386", qemu="i386", loader="/lib/ld-linux.so.2"),
)


@dataclass(frozen=True)
class Sysroot:
    machine: Machine
    top: Path

    def run(self, *command: str, env: tuple[str, ...] = ()) -> subprocess.CompletedProcess[bytes]:
        """A program of the root, under its emulator, with the root as its own."""
        settings = [word for pair in env for word in ("-E", pair)]
        return subprocess.run(
            ["chroot", str(self.top), "/qemu", *settings, *command],
            env={"PATH": os.environ.get("PATH", "")},
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )

    def ask(self, loader: str, program: str) -> tuple[int, list[str]]:
        """What its loader lists for a file."""
        done = self.run(loader, program, env=("LD_TRACE_LOADED_OBJECTS=1",))
        return done.returncode, listed(done.stdout)


def sysroot(machine: Machine, shelf: Path) -> Sysroot:
    """The root of a machine, from the shelf if it stands there.

    Raises:
        Unreachable: its packages cannot be had.
    """
    top = shelf / machine.name
    made = Sysroot(machine, top)
    ready = shelf / f"{machine.name}.ready"  # says that the root is complete
    if not ready.exists():
        shutil.rmtree(top, ignore_errors=True)
        archives = shelf / f"{machine.name}.apt"
        _fetch(machine, archives)
        _unpack(machine, sorted(archives.rglob("*.deb")), top)
        shutil.rmtree(archives)
        shutil.copyfile(f"/usr/bin/qemu-{machine.qemu}-static", top / "qemu")
        (top / "qemu").chmod(0o755)
        if (top / "sbin/ldconfig").exists():
            made.run("/sbin/ldconfig").check_returncode()
        ready.touch()
    return made


def _fetch(machine: Machine, place: Path) -> None:
    for directory in ("lists/partial", "cache/archives/partial"):
        (place / directory).mkdir(parents=True, exist_ok=True)
    (place / "status").touch()
    architecture = machine.architecture or machine.name
    settings: tuple[str, ...] = (
        f"Dir::State={place}",
        f"Dir::State::lists={place}/lists",
        f"Dir::State::status={place}/status",
        f"Dir::Cache={place}/cache",
        f"APT::Architecture={architecture}",
        f"APT::Architectures={architecture}",
        "APT::Sandbox::User=root",
        "Acquire::Retries=3",
    )
    if machine.release:
        (place / "sources.list").write_text(_sources(machine.release))
        settings += (f"Dir::Etc::sourcelist={place}/sources.list", "Dir::Etc::sourceparts=/none")
    options = ["-qq", *(word for setting in settings for word in ("-o", setting))]
    # One of several sources may be out of step; whether it matters shows in the next line.
    _apt(*options, "update")
    wanted = ["install", "--download-only", "--no-install-recommends", "-y", *machine.packages]
    done = _apt(*options, *wanted)
    if done.returncode:
        raise Unreachable(os.fsdecode(done.stderr).strip().rpartition("\n")[2])


def _sources(release: str) -> str:
    """Where another release is: beside this machine's.

    Raises:
        Unreachable: this machine has none of Debian's archives.
    """
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        check=False,
        timeout=60,
    )
    archives = {line[7:] for line in told.stdout.decode().splitlines() if line[:7] == "Debian "}
    if not archives:
        raise Unreachable("no archive of Debian is among this machine's sources")
    return "".join(f"deb [signed-by={_KEYS}] {uri} {release} main\n" for uri in sorted(archives))


def _apt(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["apt-get", *words],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=600,
    )


def _unpack(machine: Machine, packages: list[Path], top: Path) -> None:
    top.mkdir(parents=True)
    for link, target in machine.links:
        (top / target).mkdir(parents=True)
        (top / link).symlink_to(target)
    for package in packages:
        # dpkg-deb -x would put a directory in place of a link.
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
        ) as content:
            subprocess.run(
                ["tar", "-x", "--keep-directory-symlink", "-C", str(top)],
                stdin=content.stdout,
                check=True,
                timeout=120,
            )
        assert content.returncode == 0, package
