"""Programs that read what libc reads: name services, accounts, zones, converters, locales."""

from __future__ import annotations

from tests.docker.program import BARE, Naive, Program
from tests.docker.rows import library


def _getent(
    args: str,
    says: str = "",
    *,
    status: int = 0,
    fails: int | None = 2,
    instead: str | None = None,
    options: tuple[str, ...] = (),
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
        options=options,
    )


def _built(name: str, compiler: str, says: str, *, case: tuple[int, ...], fails: str) -> Program:
    """A program of ours that looks something up."""
    return Program(
        f"{compiler.replace(' -w', '')}: {name}",
        f"./{name}",
        build=(f"{compiler} -o {name} {{src}}/{name}.c",),
        says=says,
        case=case,
        naive=(Naive(fails),),
    )


_HOSTS = ("--network", "host")
"""With the host's /etc/hosts, which has other names for localhost than the engine's."""
_SSH = "/usr/bin/ssh --add /etc/ssh/ssh_config --add /etc/ssh/ssh_config.d"
_PSQL = "/usr/lib/postgresql/15/bin/psql"
_FOR_BETTER_CPUS = (
    "mkdir -p lib/glibc-hwcaps/x86-64-v2",
    "gcc -shared -fPIC -o lib/libgreet.so {src}/greet.c",
    "gcc -shared -fPIC '-DWORDS=\"faster greetings\"' "
    "-o lib/glibc-hwcaps/x86-64-v2/libgreet.so {src}/greet.c",
    "gcc -o greeter {src}/greeter.c -Llib -lgreet -Wl,-rpath,$ORIGIN/lib",
)
_GREETER_OF_CUDA = (
    "gcc -shared -fPIC -Wl,-soname,libcuda.so.1 -o libcuda.so.1 {src}/greet.c",
    "gcc -o greeter {src}/greeter.c libcuda.so.1",
)

GETENT = (
    _getent("passwd root", instead="root:x:0:0:root:/root:/bin/sh\n"),
    _getent("passwd nobody", "nobody:x:65534:65534"),
    _getent("group root", "root:x:0:"),
    _getent("initgroups root", "root", fails=None),
    _getent("hosts localhost", "127.0.0.1", fails=None, options=_HOSTS),
    _getent("hosts 127.0.0.1", "localhost", fails=None),
    _getent("ahosts localhost", "127.0.0.1       STREAM", fails=None, options=_HOSTS),
    _getent("ahostsv4 localhost", "127.0.0.1       STREAM", fails=None, options=_HOSTS),
    _getent("ahosts 127.0.0.1", "127.0.0.1       STREAM", fails=None),
    _getent("services http", "80/tcp"),
    _getent("services 53/udp", "domain"),
    _getent("protocols tcp", "6 TCP"),
    _getent("networks loopback", "127.0.0.0"),
    _getent("rpc portmapper", "100000"),
    _getent("ethers nobody.example", status=2, fails=None),
    _getent("netgroup nobody", status=2, fails=None),
    _getent("aliases nobody.example", status=2, fails=None),
    _getent("shadow nosuchuser", status=2, fails=None),
)

SWITCH = (
    Program(
        "nsswitch.conf of systemd-resolved",
        "/usr/bin/getent --add ./nsswitch.conf:/etc/nsswitch.conf",
        "hosts 127.0.0.1",
        ("sh -c 'echo \"hosts: resolve [!UNAVAIL=return] files dns\" > nsswitch.conf'",),
        says="localhost",
        case=(31,),
    ),
    Program(
        "passwd: files",
        "/usr/bin/getent",
        "passwd nobody",
        ("sh -c 'echo passwd: sss > nsswitch.conf'",),
        says="nobody",
        case=(30,),
        naive=(
            Naive("", 2, "/usr/bin/getent --add ./nsswitch.conf:/etc/nsswitch.conf"),
            Naive("", 2, "/usr/bin/getent --without users"),
        ),
    ),
    Program(
        "hosts: files dns",
        "/usr/bin/getent",
        "hosts 127.0.0.1",
        ("sh -c 'echo hosts: dns > nsswitch.conf'",),
        says="localhost",
        case=(30,),
        naive=(Naive("", 2, "/usr/bin/getent --add ./nsswitch.conf:/etc/nsswitch.conf"),),
    ),
)

ACCOUNTS = (
    Program(
        "id -un",
        "/usr/bin/id",
        "-un",
        says="root",
        case=(25,),
        naive=(Naive("cannot find name for user ID 0"),),
    ),
    _built("getpwuid", "gcc", "root 0 0", case=(25,), fails="nobody has uid 0"),
    _built("getpwuid", "gcc -static -w", "root 0 0", case=(12, 25), fails="nobody has uid 0"),
    _built("getpwuid", "musl-gcc", "root 0 0", case=(10, 25), fails="nobody has uid 0"),
    _built("getpwuid", "musl-gcc -static", "root 0 0", case=(10, 25), fails="nobody has uid 0"),
    _built("getservbyname", "gcc", "port 80", case=(32,), fails="http is port -1"),
    _built("getservbyname", "gcc -static -w", "port 80", case=(12, 32), fails="http is port -1"),
    _built("getprotobyname", "gcc", "protocol 6", case=(32, 67), fails="tcp is protocol -1"),
    Program("ssh -V", "/usr/bin/ssh", "-V", says="OpenSSH"),
    Program(
        "ssh -G",
        _SSH,
        "-G host.example",
        says="\nuser root\n",
        case=(26,),
        naive=(Naive("No user exists for uid 0", 255),),
    ),
    Program(
        "ssh, nobody listens",
        _SSH,
        "-4 -p 1 localhost true",
        says="connect to host localhost port 1: Connection refused",
        status=255,
        case=(26,),
        naive=(Naive("No user exists for uid 0", 255),),
    ),
    Program("psql --version", _PSQL, "--version", says="psql (PostgreSQL) 15", case=(27,)),
    Program(
        "psql, Debian's script around it",
        f"/usr/bin/psql {_PSQL} --add /usr/share/postgresql-common "
        "--add /usr/share/perl5/PgCommon.pm "
        f"{library('usr/lib/*-linux-gnu/perl-base', 'usr/lib/*-linux-gnu/perl/5.*')} "
        f"{library('usr/share/perl/5.*')}",
        "--version",
        says="psql (PostgreSQL) 15",
        case=(13, 27),
    ),
    Program(
        "psql -l",
        _PSQL,
        "-l -h 127.0.0.1 -p 1",
        says='connection to server at "127.0.0.1", port 1 failed: Connection refused',
        status=2,
        case=(27,),
        naive=(Naive("could not look up local user ID 0: ", 2),),
    ),
    Program(
        "psql -c",
        _PSQL,
        "-h localhost -p 1 -c 'select 1'",
        says='connection to server at "localhost" (127.0.0.1), port 1 failed: Connection refused',
        status=2,
        case=(27,),
        options=_HOSTS,
        naive=(Naive("could not look up local user ID 0: ", 2),),
    ),
    Program(
        "su",
        "/usr/bin/su /bin/sh /usr/bin/id --add /etc/pam.d --add /etc/login.defs "
        f"--add /etc/security --add ./shadow:/etc/shadow {library('usr/lib/*-linux-gnu/security')}",
        "-s /bin/sh -c '/usr/bin/id -un' nobody",
        ("sh -c 'echo \"nobody:*:19000:0:99999:7:::\" > shadow'",),
        says="nobody",
        case=(28,),
        naive=(Naive("su: user nobody does not exist"),),
    ),
)

DATA = (
    Program(
        "date, Europe/Berlin",
        "/usr/bin/date --with tz=Europe/Berlin",
        "-d @0 '+%H:%M %Z'",
        says="01:00 CET",
        env=("TZ=Europe/Berlin",),
        case=(33,),
        needs=("tz",),
        naive=(Naive("00:00 Europe", 0),),
    ),
    Program(
        "iconv -f SHIFT_JIS",
        "/usr/bin/iconv --add ./data.txt",
        "-f SHIFT_JIS -t UTF-8 data.txt",
        ("sh -c \"printf '\\202\\240\\202\\242\\n' > data.txt\"",),
        says="\u3042\u3044",
        case=(34,),
        needs=("gconv",),
        naive=(
            Naive("failed to start conversion processing", 1, f"/usr/bin/iconv {BARE}", "-f SJIS"),
            Naive(
                "failed to start conversion processing", 1, f"/usr/bin/iconv {BARE}", "-f UTF-16"
            ),
        ),
    ),
    Program(
        "perl in a locale",
        f"/usr/bin/perl {library('usr/lib/*-linux-gnu/perl-base')} --with locale=C.UTF-8",
        '-Mlocale -e \'print "\\x{e9}" =~ /\\w/ ? "letter" : "byte"\'',
        says="letter",
        env=("LC_ALL=C.UTF-8",),
        case=(35,),
        needs=("locale",),
        naive=(Naive("Setting locale failed", 0, f"/usr/bin/perl {BARE}", "-e 'print 1'"),),
    ),
    Program(
        "tmux",
        f"/usr/bin/tmux /bin/sh --with locale=C.UTF-8 --mkdir /tmp:1777 {library('lib/terminfo')}",
        "-f /dev/null new-session -d -x 80 -y 24 ; list-panes -F '#{pane_width}x#{pane_height}' ; "
        "kill-server",
        says="80x24",
        case=(36,),
        needs=("locale",),
        naive=(Naive("need UTF-8 locale (LC_CTYPE) but have ANSI_X3.4-1968"),),
    ),
    Program(
        "infocmp",
        f"/usr/bin/infocmp {library('lib/terminfo', 'usr/share/terminfo', 'etc/terminfo')}",
        "-1 xterm",
        says="cup=",
        case=(37,),
        naive=(Naive("couldn't open terminfo file xterm"),),
    ),
    Program(
        "gawk system()",
        "/usr/bin/gawk /bin/sh",
        '\'BEGIN { print system("exit 5"); "echo piped" | getline x; print x }\'',
        says="5\npiped\n",
        case=(38,),
        naive=(Naive("127", 0, f"/usr/bin/gawk {BARE}", "'BEGIN { print system(\"exit 5\") }'"),),
    ),
    Program(
        "gawk system(), --with shell",
        "/usr/bin/gawk --with shell=/bin/busybox",
        '\'BEGIN { print system("exit 5"); "echo piped" | getline x; print x }\'',
        says="5\npiped\n",
        case=(38,),
        needs=("shell",),
    ),
    Program(
        "mawk system()",
        "/usr/bin/mawk --add /bin/sh",
        "'BEGIN { print system(\"exit 5\") }'",
        says="5",
        case=(38,),
        naive=(Naive("127", 0),),
    ),
    Program(
        "mkstemp()",
        "./mkstemp",
        build=("gcc -o mkstemp {src}/mkstemp.c",),
        says="mode 1777",
        case=(39,),
        needs=("tmp",),
        naive=(Naive("mkstemp: No such file or directory"),),
    ),
    Program(
        "pthread_cancel",
        "./cancel",
        build=("gcc -pthread -o cancel {src}/cancel.c", "gcc -static -o parent {src}/parent.c"),
        says="cancelled",
        case=(3,),
        naive=(
            Naive(
                "libgcc_s.so.1 must be installed for pthread_cancel to work",
                134,
                f"./parent ./cancel {BARE}",
                "./cancel",
            ),
        ),
    ),
    Program(
        "pthread_exit",
        "./leave",
        build=(
            "gcc -pthread -o leave {src}/pthread_exit.c",
            "gcc -static -o parent {src}/parent.c",
        ),
        says="goes on",
        case=(4,),
        naive=(
            Naive(
                "libgcc_s.so.1 must be installed for pthread_exit to work",
                134,
                f"./parent ./leave {BARE}",
                "./leave",
            ),
        ),
    ),
    Program(
        "backtrace",
        "./backtrace",
        build=("gcc -O0 -rdynamic -o backtrace {src}/backtrace.c",),
        says="inner\nouter\nmain\n",
        case=(5,),
        naive=(Naive(""),),
    ),
    Program(
        "a copy for better CPUs stays at home",
        "./greeter",
        build=(
            *_FOR_BETTER_CPUS,
            "mkdir -p plain/lib",
            "cp lib/libgreet.so plain/lib",
            "cp greeter plain",
        ),
        host="./plain/greeter",
        says="greetings from the library",
        status=3,
        case=(8,),
    ),
    Program(
        "a copy for better CPUs, --cpu x86-64-v2",
        "./greeter --cpu x86-64-v2",
        build=_FOR_BETTER_CPUS,
        says="faster greetings",
        status=3,
        case=(8,),
    ),
    Program(
        "a driver's library, excluded",
        "./greeter --exclude libcuda.so.1",
        build=_GREETER_OF_CUDA,
        library_path="{here}",
        says="greetings",
        status=3,
        options=("--volume", "{here}/libcuda.so.1:/usr/lib/libcuda.so.1:ro"),
        case=(22, 66),
        naive=(
            Naive(
                "libcuda.so.1: cannot open shared object file",
                127,
                f"./greeter --exclude libcuda.so.1 {BARE}",
                options=(),
            ),
        ),
    ),
)

LOOKUPS = (*GETENT, *SWITCH, *ACCOUNTS, *DATA)
