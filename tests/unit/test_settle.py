"""The self-check: what the image's loaders would not find gets a search path, or an error."""

from __future__ import annotations

import pytest

from elfpack.errors import IncompleteError
from elfpack.formats.ldcache import LdCache
from elfpack.loader.machine import cache_flags
from elfpack.loader.resolve import Options, Resolver
from elfpack.planning.config import ImageConfig
from elfpack.planning.entry import Plan, Regular, Symlink
from elfpack.planning.planned import PlanRoot
from tests.unit.test_planning import plan_of
from tests.worlds import GLIBC, MUSL, MUSL_LOADER, World

CACHE, CONF = "/etc/ld.so.cache", "/etc/ld.so.conf"
X86_64 = 0x0303


def content(plan: Plan, path: str) -> bytes:
    entry = next(e for e in plan.entries if e.path == path)
    assert isinstance(entry, Regular)
    return b"".join(entry.blob.chunks())


def paths(plan: Plan) -> set[str]:
    return {entry.path for entry in plan.entries}


def names(plan: Plan, program: str, **options: object) -> list[str]:
    """What the loader in the image finds, with nothing from around it."""
    closure = Resolver(PlanRoot(plan)).resolve(program, Options(**options))  # type: ignore[arg-type]
    assert not closure.misses
    return [f"{library.name} {library.path}" for library in closure.libraries]


def test_a_cache_names_only_what_is_lost() -> None:
    """A name in it would answer for every other program."""
    world = {
        **GLIBC,
        "/exe": "exe needs=liba.so,libz.so",
        "/p/liba.so": "lib needs=libb.so runpath=$ORIGIN/own",
        "/p/own/libb.so": "lib",
        "/lib64/libz.so": "lib",
    }
    plan = plan_of(world, "/exe", library_path="/p")
    cache = LdCache(content(plan, CACHE), little=True, bits=64)
    assert cache.count == 1
    assert cache.best("liba.so", flags=(X86_64,)) == "/p/liba.so"
    assert content(plan, CONF) == b"/p\n"


def test_a_name_is_cached_as_it_is_asked_for() -> None:
    """And not the soname, which nobody asks for: it could answer for another library."""
    world = {**GLIBC, "/exe": "exe needs=liba.so", "/p/liba.so": "lib soname=libz.so.1"}
    plan = plan_of(world, "/exe", library_path="/p")
    cache = LdCache(content(plan, CACHE), little=True, bits=64)
    assert cache.best("liba.so", flags=(X86_64,)) == "/p/liba.so"
    assert cache.best("libz.so.1", flags=(X86_64,)) is None


def test_paths_of_a_cache_do_not_pass_through_what_is_not_there() -> None:
    world = {
        **GLIBC,
        "/here/bin/exe": "exe needs=liba.so",
        "/here/lib/liba.so": "lib",
    }
    plan = plan_of(world, "/here/bin/exe:/exe", library_path="$ORIGIN/../lib")
    cache = LdCache(content(plan, CACHE), little=True, bits=64)
    assert cache.best("liba.so", flags=(X86_64,)) == "/here/lib/liba.so"


def test_one_cache_serves_two_machines() -> None:
    world = {
        **GLIBC,
        "/a": "exe needs=liba.so",
        "/p/liba.so": "lib",
        "/lib/ld-linux.so.2": "glibc machine=i386",
        "/b": "exe needs=liba.so machine=i386 interp=/lib/ld-linux.so.2",
        "/q/liba.so": "lib machine=i386",
    }
    plan = plan_of(world, "/a", "/b", library_path="/p:/q")
    cache = LdCache(content(plan, CACHE), little=True, bits=64)
    assert cache.best("liba.so", flags=(X86_64,)) == "/p/liba.so"
    abi = plan.programs[1].closure.hits[0].elf.abi
    assert cache.best("liba.so", flags=cache_flags(abi)) == "/q/liba.so"
    assert content(plan, CONF) == b"/p\n/q\n"


def lost(world: World, *programs: str, **more: object) -> list[str]:
    with pytest.raises(IncompleteError) as caught:
        plan_of(world, *programs, **more)  # type: ignore[arg-type]
    assert caught.value.exit_code == 1
    return [str(finding) for finding in caught.value.findings]


def test_no_cache_serves_two_byte_orders() -> None:
    world = {
        **GLIBC,
        "/a": "exe needs=liba.so rpath=p",
        "/p/liba.so": "lib",
        "/lib/ld64.so.1": "glibc machine=s390x",
        "/b": "exe needs=liba.so machine=s390x interp=/lib/ld64.so.1 rpath=q",
        "/q/liba.so": "lib machine=s390x",
    }
    told = lost(world, "/a", "/b", config=ImageConfig(workdir="/elsewhere"))
    assert len(told) == 1
    assert told[0].startswith("/b: liba.so has to be q/liba.so in the image, but a cache of the ")


def test_two_objects_of_one_name() -> None:
    """An interpreter of its own finds its own library in its own directory; the other's is found
    by the same cache that both read."""
    world = {
        **GLIBC,
        "/a": "exe needs=liba.so",
        "/p/liba.so": "lib",
        "/opt/ld.so": "glibc directories=/opt/lib/",
        "/b": "exe needs=liba.so interp=/opt/ld.so rpath=rel",
        "/rel/liba.so": "lib soname=b",
    }
    # /b finds rel/liba.so from the working directory; in the image that is another one.
    told = lost(
        world, "/a", "/b", library_path="/p", config=ImageConfig(workdir="/elsewhere"), cwd="/"
    )
    assert any("/p/liba.so" in line and "rel/liba.so" in line for line in told), told
    assert all("image for each" in line or "-rpath" in line for line in told)


def test_a_library_in_the_way() -> None:
    """A name in the cache that one program needs would hide what another one finds by itself."""
    world = {
        **GLIBC,
        "/a": "exe needs=libq.so",
        "/p/libq.so": "lib needs=libz.so soname=libq.so",
        "/p/libz.so": "lib soname=p",
        "/lib64/libz.so": "lib soname=default",
        "/b": "exe needs=libz.so rpath=rel",
        "/rel/libz.so": "lib soname=rel",
    }
    told = lost(world, "/a", "/b", library_path="/p", config=ImageConfig(workdir="/elsewhere"))
    assert any("/p/libz.so" in line and "rel/libz.so" in line for line in told), told


def test_the_images_own_library_path_needs_no_cache() -> None:
    world = {**GLIBC, "/exe": "exe needs=liba.so", "/p/liba.so": "lib"}
    config = ImageConfig(env={"LD_LIBRARY_PATH": "/p"})
    plan = plan_of(world, "/exe", library_path="/p", config=config)
    assert CACHE not in paths(plan)
    assert names(plan, "/exe", library_path="/p") == ["liba.so /p/liba.so"]


def test_the_images_own_library_path_in_the_way() -> None:
    world = {
        **GLIBC,
        "/exe": "exe needs=liba.so",
        "/lib64/liba.so": "lib",
        "/p/liba.so": "lib soname=p",
    }
    config = ImageConfig(env={"LD_LIBRARY_PATH": "/p"})
    told = lost(world, "/exe", added=("/p",), config=config)
    assert "would not load /lib64/liba.so for liba.so, but /p/liba.so" in told[0]


@pytest.mark.parametrize(("name", "told"), [("/p/liba.so", []), ("/p/none.so", ["/p/none.so"])])
def test_what_the_image_preloads_is_there(name: str, told: list[str]) -> None:
    world = {**GLIBC, "/exe": "exe", "/p/liba.so": "lib"}
    config = ImageConfig(env={"LD_PRELOAD": name})
    plan = plan_of(world, "/exe", added=("/p",), config=config)
    assert [f.path for f in plan.findings if f.code == "not-preloaded"] == told


ALIASES = {
    **GLIBC,
    "/exe": "exe needs=libx.so,liba.so",
    "/lib64/liba.so": "lib needs=libx.so.1",
    "/lib64/libx.so": "-> libx.so.1.2",
    "/lib64/libx.so.1": "-> libx.so.1.2",
    "/lib64/libx.so.1.2": "lib",
}
"""The loader looks for libx.so.1 too, and finds that it has that file."""


def test_every_name_of_a_library_is_packed() -> None:
    plan = plan_of(ALIASES, "/exe")
    links = {e.path: e.target for e in plan.entries if isinstance(e, Symlink)}
    assert links == {"/lib64/libx.so": "libx.so.1.2", "/lib64/libx.so.1": "libx.so.1.2"}
    assert names(plan, "/exe") == ["libx.so /lib64/libx.so", "liba.so /lib64/liba.so"]


def test_every_name_of_a_library_is_cached() -> None:
    world = {path.replace("/lib64/lib", "/p/lib"): spec for path, spec in ALIASES.items()}
    plan = plan_of(world, "/exe", library_path="/p")
    cache = LdCache(content(plan, CACHE), little=True, bits=64)
    assert cache.best("libx.so.1", flags=(X86_64,)) == "/p/libx.so.1"
    assert names(plan, "/exe") == ["libx.so /p/libx.so", "liba.so /p/liba.so"]


def test_every_name_of_a_library_moves() -> None:
    world = {path.replace("/lib64/lib", "/b/lib"): spec for path, spec in ALIASES.items()}
    world = {p: s.replace("needs", "runpath=$ORIGIN needs") for p, s in world.items()}
    world["/b/exe"] = world.pop("/exe")
    plan = plan_of(world, "/b/exe:/app/exe")
    assert paths(plan) >= {"/app/libx.so", "/app/libx.so.1", "/app/libx.so.1.2"}
    assert CACHE not in paths(plan)
    assert names(plan, "/app/exe") == ["libx.so /app/libx.so", "liba.so /app/liba.so"]


def test_a_file_needed_by_origin_moves() -> None:
    world = {
        **GLIBC,
        "/b/exe": "exe needs=$ORIGIN/lib/liba.so",
        "/b/lib/liba.so": "lib needs=${ORIGIN}/libb.so",
        "/b/lib/libb.so": "lib",
    }
    plan = plan_of(world, "/b/exe:/app")
    assert paths(plan) >= {"/lib/liba.so", "/lib/libb.so"}


# What libc opens by itself

OPENED = {
    **GLIBC,
    "/lib64/libc.so.6": "lib soname=libc.so.6 defines=GLIBC_2.34",
    "/exe": "exe needs=libc.so.6 imports=pthread_cancel hash=sysv",
    "/opt/gcc/libgcc_s.so.1": "lib soname=libgcc_s.so.1",
    "/etc/ld.so.cache": "cache libgcc_s.so.1=/opt/gcc/libgcc_s.so.1",
}


def test_what_libc_opens_by_name_is_found_in_the_image() -> None:
    plan = plan_of(OPENED, "/exe")
    assert "/opt/gcc/libgcc_s.so.1" in paths(plan)
    cache = LdCache(content(plan, CACHE), little=True, bits=64)
    assert cache.best("libgcc_s.so.1", flags=(X86_64,)) == "/opt/gcc/libgcc_s.so.1"
    resolver = Resolver(PlanRoot(plan))
    hit = resolver.opened(resolver.resolve("/exe", Options()), "libgcc_s.so.1", Options())
    assert hit is not None
    assert hit.path == "/opt/gcc/libgcc_s.so.1"


# Scripts

SCRIPT = {
    **GLIBC,
    "/usr/bin/env": "exe",
    "/usr/bin/tool": "exe soname=tool",
    "/run": "script #!/usr/bin/env tool\\n",
}


def test_a_script_comes_down_to_the_same_program() -> None:
    plan = plan_of(SCRIPT, "/run:/go")
    assert {placed.script for placed in plan.programs} == {None, "/go"}


def test_a_script_that_another_path_leads_elsewhere() -> None:
    config = ImageConfig(env={"PATH": "/opt/bin:/bin"})
    told = lost(SCRIPT, "/run", config=config)
    assert told == [
        "/run: in the image it would come down to /usr/bin/env, not to /usr/bin/tool "
        "(give what stands in its way another destination, or set PATH)"
    ]


# musl


def musl(host: str | None, library_path: str = "") -> bytes:
    world = {
        **MUSL,
        "/exe": f"exe needs=liba.so,libb.so interp={MUSL_LOADER}",
        "/p/liba.so": "lib",
        "/q/libb.so": "lib",
    }
    if host is not None:
        world["/etc/ld-musl-x86_64.path"] = f"text {host}"
    return content(plan_of(world, "/exe", library_path=library_path), "/etc/ld-musl-x86_64.path")


def test_a_path_file_keeps_the_order_of_the_roots() -> None:
    assert musl("/lib:/q:/usr/lib:/p") == b"/lib\n/q\n/usr/lib\n/p\n"


def test_what_the_environment_found_comes_first() -> None:
    assert musl(None, "/q:/p") == b"/p\n/q\n/lib\n/usr/local/lib\n/usr/lib\n"
    assert musl("/lib:/p", "/q") == b"/q\n/lib\n/p\n"


# Where things are


def test_what_elfpack_makes_goes_behind_the_roots_links() -> None:
    world = {
        **GLIBC,
        "/etc": "-> system/etc",
        "/system/etc/x": "text x",
        "/exe": "exe needs=liba.so",
        "/p/liba.so": "lib",
    }
    plan = plan_of(world, "/exe", library_path="/p")
    assert {"/etc", "/system/etc/ld.so.cache", "/system/etc/ld.so.conf"} <= paths(plan)
    assert names(plan, "/exe") == ["liba.so /p/liba.so"]


def test_a_destination_is_taken_as_it_is() -> None:
    world = {"/bin": "-> usr/bin", "/usr/bin/a": "static", "/b": "static soname=b"}
    assert "/bin/b" in paths(plan_of(world, "/b:/bin/b"))
