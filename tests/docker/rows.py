"""What is packed, run and compared: one row a program and way to name it."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """A layer, and a run of it that must be equal to the host's.

    In every line ``{here}`` is the directory of the test. It has the files ``data.txt``,
    ``tree/a.txt`` and ``tree/sub/b.txt``.
    """

    name: str
    layer: str
    """What stands after ``elfpack layer``."""
    args: str = ""
    """The program's arguments."""
    build: tuple[str, ...] = ()
    """Commands that make it; ``{src}`` has the sources."""
    host: str = ""
    """The program on the host; if it is not there, the first word of ``layer`` without DEST."""
    inside: str | None = None
    """The arguments in the container, where files are elsewhere."""
    says: str = ""
    """What must be in the output on the host: two equal failures prove nothing."""
    status: int = 0
    """The status on the host."""
    instead: str | None = None
    """What the container must say where the host can say nothing of it."""
    options: tuple[str, ...] = ()
    """For ``docker run``; ``{here}`` counts here too."""
    library_path: str = ""
    """LD_LIBRARY_PATH on the host and for elfpack, never in the container."""
    env: tuple[str, ...] = ()
    """More of the environment, ``KEY=VALUE``, on the host as in the container."""
    stderr: bool = False
    """Standard error must be equal as well."""


HELLO = ("gcc -o hello {src}/hello.c",)
SCRIPT = ("install -m 755 {src}/script.sh script.sh",)
GREETER = (
    "mkdir -p app/bin app/lib",
    "gcc -shared -fPIC -o app/lib/libgreet.so {src}/greet.c",
    "gcc -o app/bin/greeter {src}/greeter.c -Lapp/lib -lgreet -Wl,-rpath,$ORIGIN/../lib",
)
INHERITED = (
    "mkdir private",
    "gcc -shared -fPIC -o private/libgreet.so {src}/greet.c",
    "gcc -shared -fPIC -Dmain=middle -o private/libmiddle.so {src}/greeter.c -Lprivate -lgreet",
    "gcc -Dgreet=middle -o main {src}/greeter.c -Lprivate -lmiddle "
    "-Wl,--disable-new-dtags,-rpath,$ORIGIN/private,-rpath-link,private",
)
PRIVATE = (
    "mkdir private",
    "gcc -shared -fPIC -o private/libgreet.so {src}/greet.c",
    "gcc -o greeter {src}/greeter.c -Lprivate -lgreet",
)

_MACHINE = platform.machine()
_LIBC = f"/lib/{_MACHINE}-linux-gnu/libc.so.6"
_LOADER = {"aarch64": "/lib/ld-linux-aarch64.so.1"}.get(_MACHINE, "/lib64/ld-linux-x86-64.so.2")

_LONG = "/".join(("a" * 74, "b" * 74, "c" * 74, "d" * 74))
_LONG_HELLO = (f"mkdir -p {_LONG}", f"gcc -o {_LONG}/hello {{src}}/hello.c")

_NAMES = (
    ("h\u00e9llo", "h\u00e9llo"),
    ("with:colon", "with:colon"),
    ("-dash", "-dash"),
    ("$HOME", "$HOME"),
    ("Upper+Case__[1]", "Upper+Case__[1]"),
    ("it's", "it's"),
    ('double"quote', r"double\"quote"),
    ("back\\slash", r"back\\slash"),
    ("tab\there", "tab\there"),
    ("new\nline", "new\nline"),
)
"""A name, and as it stands between double quotes."""

NAMES = (
    Row("hello, absolute", "{here}/hello", "a b", HELLO, says="hello", status=2),
    Row("hello, relative", "./hello", "'a  b'", HELLO, says="a  b", status=1),
    Row("hello, without ./", "hello", build=HELLO, host="./hello", says="hello"),
    Row("hello:DEST", "./hello:/opt/hi", build=HELLO, says="hello"),
    Row("hello:DEST/", "./hello:/opt/tools/", build=HELLO, says="hello"),
    Row("hello:DEST with a space", "'./hello:/opt/my app/hello'", "x", HELLO, "./hello", status=1),
    Row(
        "build/hello",
        "build/hello",
        build=("mkdir build", "gcc -o build/hello {src}/hello.c"),
        says="hello",
    ),
    Row("link beside hello", "./link", build=(*HELLO, "ln -s hello link"), says="hello"),
    Row("absolute link", "./link", build=(*HELLO, "ln -s {here}/hello link"), says="hello"),
    Row(
        "absolute link, named absolutely",
        "{here}/link",
        build=(*HELLO, "mkdir to", "ln -s {here}/hello to/it", "ln -s to/it link"),
        says="hello",
    ),
    Row(
        "in a linked directory",
        "{here}/link/hello",
        build=("mkdir real", "gcc -o real/hello {src}/hello.c", "ln -s real link"),
        says="hello",
    ),
    Row("in a path of 300 bytes", f"{_LONG}/hello", build=_LONG_HELLO, host=f"./{_LONG}/hello"),
    Row("link of 300 bytes", "./link", build=(*_LONG_HELLO, f"ln -s {_LONG}/hello link")),
    *[
        Row(
            f"a name: {name}",
            f'"./{quoted}"',
            "x",
            (f'gcc -o "{quoted}" {{src}}/hello.c',),
            f"./{name}",
            status=1,
        )
        for name, quoted in _NAMES
    ],
    Row("hello:/lib/hello", "./hello:/lib/hello", build=HELLO, says="hello"),
    Row("hello:/lib64/", "./hello:/lib64/", build=HELLO, says="hello"),
    Row("hello:/bin/hello and /bin/sh", "./hello:/bin/hello /bin/sh", build=HELLO, says="hello"),
    Row("hello twice", "./hello ./hello", build=HELLO, says="hello"),
    Row(
        "hello twice, elsewhere",
        "./hello:/a ./hello:/b/c",
        build=HELLO,
        says="hello",
    ),
    Row(
        "hard links of one program",
        "./one ./two",
        build=("gcc -o one {src}/hello.c", "ln one two"),
        says="hello",
    ),
    Row(
        "hard links in an added directory",
        "./parent --add ./bin",
        "./bin/b x",
        (
            "gcc -o parent {src}/parent.c",
            "mkdir bin",
            "gcc -o bin/a {src}/hello.c",
            "ln bin/a bin/b",
        ),
        says="hello",
        status=1,
    ),
    Row(
        "script by env",
        "./say.pl /usr/bin/perl",
        "one",
        ("install -m 755 {src}/say.pl say.pl",),
        says="perl says one",
        status=6,
    ),
    Row("script:/bin/", "./script.sh:/bin/", "one", SCRIPT, status=5),
    Row("script", "./script.sh", "one 'two three'", SCRIPT, status=5),
    Row("script:DEST", "./script.sh:/usr/bin/say", "one", SCRIPT, status=5),
)

KINDS = (
    Row("hello in C++", "./hello", build=("g++ -o hello {src}/hello.cpp",), says="hello"),
    Row(
        "exceptions and thread_local",
        "./catcher",
        build=(
            "g++ -shared -fPIC -o libthrower.so {src}/thrower.cpp",
            "g++ -pthread -o catcher {src}/catcher.cpp -L. -lthrower -Wl,-rpath,$ORIGIN",
        ),
        says="thrown by the library, call 2",
    ),
    Row(
        "pthread_cancel",
        "./cancel",
        build=("gcc -pthread -o cancel {src}/cancel.c",),
        says="cancelled",
    ),
    Row(
        "pthread_cancel in a library",
        "./cancel",
        build=(
            "gcc -shared -fPIC -DLIBRARY -o libcancel.so {src}/cancel.c",
            "gcc -o cancel {src}/cancel_main.c -L. -lcancel -Wl,-rpath,$ORIGIN",
        ),
        says="cancelled",
    ),
    Row(
        "pthread_exit from main",
        "./leave",
        build=("gcc -pthread -o leave {src}/pthread_exit.c",),
        says="goes on",
    ),
    Row(
        "thrd_exit", "./leave", build=("gcc -pthread -o leave {src}/thrd_exit.c",), says="left with"
    ),
    Row(
        "backtrace()",
        "./backtrace",
        build=("gcc -O0 -rdynamic -o backtrace {src}/backtrace.c",),
        says="inner\nouter\nmain\n",
    ),
    Row("$ORIGIN/../lib", "app/bin/greeter", build=GREETER, says="greetings", status=3),
    Row(
        "$ORIGIN/../lib:DEST",
        "app/bin/greeter:/srv/bin/greeter",
        build=GREETER,
        says="greetings",
        status=3,
    ),
    Row(
        "$ORIGIN/../lib:/greeter, above the root",
        "app/bin/greeter:/greeter",
        build=GREETER,
        says="greetings",
        status=3,
    ),
    Row(
        "$ORIGIN/../lib through a link:DEST",
        "./tool:/opt/bin/tool",
        build=(*GREETER, "ln -s app/bin/greeter tool"),
        says="greetings",
        status=3,
    ),
    Row(
        "$ORIGIN/../lib, a soname's links:DEST",
        "app/bin/greeter:/srv/bin/greeter",
        build=(
            "mkdir -p app/bin app/lib",
            "gcc -shared -fPIC -Wl,-soname,libgreet.so.1 -o app/lib/libgreet.so.1.2 {src}/greet.c",
            "ln -s libgreet.so.1.2 app/lib/libgreet.so.1",
            "ln -s libgreet.so.1 app/lib/libgreet.so",
            "gcc -o app/bin/greeter {src}/greeter.c -Lapp/lib -lgreet -Wl,-rpath,$ORIGIN/../lib",
        ),
        says="greetings",
        status=3,
    ),
    Row(
        "$ORIGIN of a library:DEST",
        "app/bin/main:/srv/bin/main",
        build=(
            "mkdir -p app/bin app/lib/deep",
            "gcc -shared -fPIC -o app/lib/deep/libgreet.so {src}/greet.c",
            "gcc -shared -fPIC -Dmain=middle -o app/lib/libmiddle.so {src}/greeter.c "
            "-Lapp/lib/deep -lgreet -Wl,-rpath,$ORIGIN/deep",
            "gcc -Dgreet=middle -o app/bin/main {src}/greeter.c "
            "-Lapp/lib -lmiddle -Wl,-rpath,$ORIGIN/../lib -Wl,-rpath-link,app/lib/deep",
        ),
        says="greetings",
        status=3,
    ),
    Row("DT_RPATH for a library's library", "./main", build=INHERITED, says="greetings", status=3),
    Row(
        "DT_RPATH for a library's library:DEST",
        "./main:/srv/main",
        build=INHERITED,
        says="greetings",
        status=3,
    ),
    Row(
        "relative RUNPATH",
        "./greeter",
        build=(*PRIVATE[:-1], PRIVATE[-1] + " -Wl,-rpath,private"),
        says="greetings",
        status=3,
    ),
    Row(
        "a library needed by a relative path",
        "./greeter",
        build=(*PRIVATE[:-1], "gcc -o greeter {src}/greeter.c private/libgreet.so"),
        says="greetings",
        status=3,
    ),
    Row(
        "a library needed by a relative path:DEST",
        "./greeter:/srv/greeter",
        build=(*PRIVATE[:-1], "gcc -o greeter {src}/greeter.c private/libgreet.so"),
        says="greetings",
        status=3,
    ),
    Row(
        "a library needed by an absolute path",
        "./greeter",
        build=(*PRIVATE[:-1], "gcc -o greeter {src}/greeter.c {here}/private/libgreet.so"),
        says="greetings",
        status=3,
    ),
    Row(
        "a private directory of a linked name",
        "./greeter",
        build=(
            *PRIVATE[:-1],
            "ln -s private lib.d",
            "gcc -o greeter {src}/greeter.c -Lprivate -lgreet -Wl,-rpath,{here}/lib.d",
        ),
        says="greetings",
        status=3,
    ),
    Row(
        "NODEFLIB",
        "./greeter",
        build=(
            *PRIVATE[:-1],
            PRIVATE[-1] + " -Wl,-rpath,$ORIGIN/private:$ORIGIN/libc,-z,nodefaultlib",
            "mkdir libc",
            f"cp -L {_LIBC} libc",
        ),
        says="greetings",
        status=3,
    ),
    Row(
        "relative LD_LIBRARY_PATH",
        "./greeter",
        build=PRIVATE,
        library_path="private",
        says="greetings",
        status=3,
    ),
    Row(
        "absolute RUNPATH:DEST",
        "./greeter:/bin/greeter",
        build=(*PRIVATE[:-1], PRIVATE[-1] + " -Wl,-rpath,/no/such:{here}/private"),
        says="greetings",
        status=3,
    ),
    Row(
        "a filter and its library",
        "./greeter",
        build=(
            "gcc -shared -fPIC '-DWORDS=\"the real one\"' -o libreal.so {src}/greet.c",
            "gcc -shared -fPIC -o libstub.so {src}/greet.c -Wl,-f,libreal.so -Wl,-rpath,$ORIGIN",
            "gcc -o greeter {src}/greeter.c -L. -lstub -Wl,-rpath,$ORIGIN",
        ),
        says="the real one",
        status=3,
    ),
    Row(
        "its own interpreter",
        "./hello",
        build=(
            f"cp -L {_LOADER} own.so",
            "gcc -o hello {src}/hello.c -Wl,--dynamic-linker={here}/own.so",
        ),
        says="hello",
    ),
    Row(
        "its own link to the interpreter",
        "./hello",
        build=(
            f"ln -s {_LOADER} own.so",
            "gcc -o hello {src}/hello.c -Wl,--dynamic-linker={here}/own.so",
        ),
        says="hello",
    ),
    Row(
        "a plugin with a library",
        "./host --add ./plugins",
        "./plugins/plugin.so",
        (
            "mkdir -p plugins/lib",
            "gcc -shared -fPIC -o plugins/lib/libgreet.so {src}/greet.c",
            "gcc -shared -fPIC -Dmain=plugin -o plugins/plugin.so {src}/greeter.c "
            "-Lplugins/lib -lgreet -Wl,-rpath,$ORIGIN/lib",
            "gcc -o host {src}/host.c",
        ),
        says="greetings",
        status=3,
    ),
    Row(
        "a plugin, its libgcc",
        "./host --add ./plugin.so",
        "./plugin.so",
        (
            "gcc -shared -fPIC -DLIBRARY -Dcancel_one=plugin -o plugin.so {src}/cancel.c",
            "gcc -o host {src}/host.c",
        ),
        says="cancelled",
    ),
    Row(
        "LD_LIBRARY_PATH",
        "./greeter",
        build=PRIVATE,
        library_path="{here}/private",
        says="greetings",
        status=3,
    ),
    Row("static glibc", "./hello", build=("gcc -static -o hello {src}/hello.c",), says="hello"),
    Row("static-pie", "./hello", build=("gcc -static-pie -o hello {src}/hello.c",), says="hello"),
    Row(
        "static glibc, getpwuid",
        "./getpwuid",
        build=("gcc -static -w -o getpwuid {src}/getpwuid.c",),
        says="root 0 0",
    ),
    Row(
        "static glibc, getaddrinfo",
        "./getaddrinfo",
        "localhost http",
        ("gcc -static -w -o getaddrinfo {src}/getaddrinfo.c",),
        says="127.0.0.1 port 80",
    ),
    Row(
        "static glibc, pthread_cancel",
        "./cancel",
        build=("gcc -static -w -pthread -o cancel {src}/cancel.c",),
        says="cancelled",
    ),
    Row(
        "musl, static", "./hello", build=("musl-gcc -static -o hello {src}/hello.c",), says="hello"
    ),
    Row("musl, dynamic", "./hello", build=("musl-gcc -o hello {src}/hello.c",), says="hello"),
    Row(
        "musl, a library beside",
        "./greeter",
        build=(
            "musl-gcc -shared -fPIC -o libgreet.so {src}/greet.c",
            "musl-gcc -o greeter {src}/greeter.c -L. -lgreet -Wl,-rpath,$ORIGIN",
        ),
        says="greetings",
        status=3,
    ),
    Row(
        "musl, LD_LIBRARY_PATH",
        "./greeter",
        build=tuple(line.replace("gcc ", "musl-gcc ") for line in PRIVATE),
        library_path="{here}/private",
        says="greetings",
        status=3,
    ),
    Row(
        "musl, getaddrinfo",
        "./getaddrinfo",
        "localhost http",
        ("musl-gcc -o getaddrinfo {src}/getaddrinfo.c",),
        says="127.0.0.1 port 80",
    ),
    Row(
        "musl, getpwuid",
        "./getpwuid",
        build=("musl-gcc -o getpwuid {src}/getpwuid.c",),
        says="root 0 0",
    ),
    Row(
        "musl, pthread_cancel",
        "./cancel",
        build=("musl-gcc -o cancel {src}/cancel.c",),
        says="cancelled",
    ),
)


def _lookup(name: str, args: str, says: str) -> Row:
    return Row(
        f"{name} {args}".rstrip(),
        f"./{name}",
        args,
        (f"gcc -o {name} {{src}}/{name}.c",),
        says=says,
    )


LOOKUPS = (
    _lookup("getaddrinfo", "localhost", "127.0.0.1"),
    _lookup("getaddrinfo", "localhost http", "port 80"),
    _lookup("getpwuid", "", "root 0 0"),
    _lookup("getpwnam", "nobody", "nobody 65534 65534"),
    _lookup("getgrgid", "", "root"),
    _lookup("getservbyname", "", "port 80"),
    _lookup("getprotobyname", "", "protocol 6"),
    Row(
        "--with users=app:1000:1000",
        "./getpwnam --with users=app:1000:1000",
        "app",
        ("gcc -o getpwnam {src}/getpwnam.c",),
        status=1,
        instead="app 1000 1000 /home/app\n",
    ),
    Row(
        "--user app",
        "/usr/bin/id --with users=app:1000:1000",
        "-un",
        status=0,
        instead="app\n",
        options=("--user", "app"),
    ),
    Row(
        "--user app, --mkdir with an owner",
        "/usr/bin/bash --with users=app:1000:1000 --mkdir /data/x:0700:1000:1000",
        "-c 'echo > /data/x/f && echo > /home/app/f && ! echo > /f && echo made'",
        status=1,
        instead="made\n",
        options=("--user", "app"),
    ),
    Row(
        "--add over modules",
        "./getpwnam --add ./etc:/etc",
        "someone",
        (
            "gcc -o getpwnam {src}/getpwnam.c",
            "mkdir etc",
            "cp {src}/passwd etc/passwd",
        ),
        status=1,
        instead="someone 7 8 /home/someone\n",
    ),
    Row(
        "--mkdir below links",
        "/bin/bash --mkdir /lib/new/one --mkdir /bin/two",
        "-c '[ -d /usr/lib/new/one ] && [ -d /usr/bin/two ] && echo there'",
        status=1,
        instead="there\n",
    ),
    Row(
        "--add of hard and soft links",
        "./show --add ./links",
        "links/a links/b links/c links/d/e",
        (
            "gcc -o show {src}/show.c",
            "mkdir links",
            "cp data.txt links/a",
            "ln links/a links/b",
            "ln -s a links/c",
            "ln -s . links/d",
            "ln -s b links/e",
        ),
        says="some data\n" * 4,
    ),
    Row(
        "--mkdir /tmp:1777",
        "./mkstemp --mkdir /tmp:1777",
        build=("gcc -o mkstemp {src}/mkstemp.c",),
        says="mode 1777",
    ),
    Row(
        "--add FILE",
        "./show --add ./data.txt",
        "data.txt",
        ("gcc -o show {src}/show.c",),
        says="some data",
    ),
    Row(
        "--add DIRECTORY",
        "./show --add ./tree",
        "tree/a.txt tree/sub/b.txt",
        ("gcc -o show {src}/show.c",),
        says="first\nsecond\n",
    ),
    Row(
        "--add SRC:DEST",
        "./show --add tree:/srv/content --add ./data.txt:/etc/",
        "tree/a.txt tree/sub/b.txt data.txt",
        ("gcc -o show {src}/show.c",),
        inside="/srv/content/a.txt /srv/content/sub/b.txt /etc/data.txt",
        says="second",
    ),
)

_GIT = "-c user.name=A -c user.email=a@example.com -c gc.auto=0 -c maintenance.auto=0"
_COMMIT = (
    "export GIT_AUTHOR_DATE=1000000000+0000 GIT_COMMITTER_DATE=1000000000+0000; "
    "git init -q -b main {here}/repo && cd {here}/repo && echo content > file && git add file "
    f"&& git {_GIT} commit -q -m first && git log --format=%H%n%an && git status --short"
)
_PYTHON = (
    "import bz2, ctypes, hashlib, json, lzma, pwd, socket, sqlite3, ssl, sys, uuid; "
    "print(sys.version, hashlib.sha256(b'x').hexdigest(), ssl.OPENSSL_VERSION, "
    "sqlite3.connect(':memory:').execute('select 42').fetchone(), pwd.getpwuid(0).pw_name, "
    "socket.gethostbyname('localhost'), socket.getservbyname('http'), "
    "lzma.decompress(lzma.compress(bz2.decompress(bz2.compress(b'data')))))"
)
_PERL = 'use strict; use POSIX qw(floor); print floor(3.7), "\\n"'


def library(*patterns: str) -> str:
    """The directories of the machine that match, each as ``--add``."""
    found = sorted(str(path) for pattern in patterns for path in Path("/").glob(pattern))
    return " ".join(f"--add {path}" for path in found)


MACHINE = (
    Row("id", "/usr/bin/id", "-un root", says="root"),
    Row("id --groups", "/usr/bin/id", "-Gn root", says="root"),
    Row("getent services", "/usr/bin/getent", "services http/tcp", says="80/tcp"),
    Row("getent protocols", "/usr/bin/getent", "protocols tcp", says="6 TCP"),
    Row("getent group", "/usr/bin/getent", "group root", says="root:x:0:"),
    Row("getent passwd", "/usr/bin/getent", "passwd nobody", says="nobody:x:65534"),
    Row("getent, not found", "/usr/bin/getent", "passwd nosuchuser", status=2),
    Row("bash", "/usr/bin/bash", "-c 'a=(1 2 3); printf %s, \"${a[@]}\"; exit 9'", status=9),
    Row("bash ~root", "/usr/bin/bash", "-c 'echo ~root'", says="/root"),
    Row("sh", "/bin/sh", "-c 'echo one two; exit 4'", says="one", status=4),
    Row("a name behind /etc/alternatives", "/usr/bin/awk", "'BEGIN { print 6*7 }'", says="42"),
    Row("env", "/usr/bin/env", "-i A=b", says="A=b"),
    Row("grep -P", "/usr/bin/grep --add ./data.txt", "-P '\\bdata$' data.txt", says="some data"),
    Row("sort", "/usr/bin/sort --add ./tree", "-r tree/a.txt tree/sub/b.txt", says="second\nfirst"),
    Row("the loader", _LOADER, "--version", says="ld.so"),
    Row("the C library", _LIBC, says="GNU C Library"),
    Row(
        "perl's look-ups",
        "/usr/bin/perl",
        "-e 'print join(q(.), unpack(q(C4), gethostbyname q(localhost))), scalar getpwuid(0), "
        "scalar getgrnam(q(root)), scalar getservbyname(q(http), q(tcp)), "
        "scalar getprotobyname(q(udp))'",
        says="127.0.0.1root08017",
    ),
    Row("perl", "/usr/bin/perl", "-e 'print 6*7, qq(\\n); exit 2'", says="42", status=2),
    Row(
        "perl with its modules",
        f"/usr/bin/perl {library('usr/lib/*-linux-gnu/perl-base')}",
        f"-e '{_PERL}'",
        says="3",
    ),
    Row("sqlite3", "/usr/bin/sqlite3", ":memory: 'select 6*7, sqlite_version()'", says="42|"),
    Row("sqlite3, an error", "/usr/bin/sqlite3", ":memory: 'select nothing'", status=1),
    Row("openssl version", "/usr/bin/openssl", "version -v", says="OpenSSL"),
    Row(
        "openssl dgst",
        "/usr/bin/openssl --add ./data.txt",
        "dgst -sha256 data.txt",
        says="SHA2-256(data.txt)= ",
    ),
    Row("curl --version", "/usr/bin/curl", "--version", says="Protocols: "),
    Row("curl file:", "/usr/bin/curl --add /etc/passwd", "-s file:///etc/passwd", says="root:"),
    Row("curl, no such file", "/usr/bin/curl", "-s file:///no/such", status=37),
    Row("curl, nobody listens", "/usr/bin/curl", "-s http://localhost:1/", status=7),
    Row("git --version", "/usr/bin/git", "--version", says="git version"),
    Row("git hash-object", "/usr/bin/git --add ./data.txt", "hash-object data.txt"),
    Row(
        "git init",
        "/usr/bin/git --add /usr/share/git-core/templates",
        "init -b main {here}/repo",
        says="Initialized empty Git repository",
    ),
    Row("git commit", "/usr/bin/bash /usr/bin/git", f'-c "{_COMMIT}"', says="A\n"),
    Row(
        "python3 with its library",
        f"/usr/bin/python3 {library('usr/lib/python3.[0-9]*')}",
        f'-c "{_PYTHON}"',
        says="(42,) root 127.0.0.1 80 b'data'",
    ),
)

STRIPPED = (
    Row(
        "--strip, hello -g",
        "./hello --strip",
        build=("gcc -g -o hello {src}/hello.c",),
        says="hello",
    ),
    Row(
        "--strip, static",
        "./hello --strip",
        build=("gcc -g -static -o hello {src}/hello.c",),
        says="hello",
    ),
    Row(
        "--strip, static-pie",
        "./hello --strip",
        build=("gcc -g -static-pie -o hello {src}/hello.c",),
        says="hello",
    ),
    Row(
        "--strip, musl",
        "./hello --strip",
        build=("musl-gcc -g -o hello {src}/hello.c",),
        says="hello",
    ),
    Row(
        "--strip, exceptions and thread_local",
        "./catcher --strip",
        build=(
            "g++ -g -shared -fPIC -o libthrower.so {src}/thrower.cpp",
            "g++ -g -pthread -o catcher {src}/catcher.cpp -L. -lthrower -Wl,-rpath,$ORIGIN",
        ),
        says="thrown by the library, call 2",
    ),
    Row(
        "--strip, pthread_cancel",
        "./cancel --strip",
        build=("gcc -g -pthread -o cancel {src}/cancel.c",),
        says="cancelled",
    ),
    Row(
        "--strip, backtrace() by dynamic symbols",
        "./backtrace --strip",
        build=("gcc -g -O0 -rdynamic -o backtrace {src}/backtrace.c",),
        says="inner\nouter\nmain\n",
    ),
    Row(
        "--strip, look-ups of a static program",
        "./getpwuid --strip",
        build=("gcc -g -static -w -o getpwuid {src}/getpwuid.c",),
        says="root 0 0",
    ),
    Row(
        "--strip, python3 with its library",
        f"/usr/bin/python3 {library('usr/lib/python3.[0-9]*')} --strip",
        f'-c "{_PYTHON}"',
        says="(42,) root 127.0.0.1 80 b'data'",
    ),
)

ROWS = (*NAMES, *KINDS, *LOOKUPS, *MACHINE, *STRIPPED)
