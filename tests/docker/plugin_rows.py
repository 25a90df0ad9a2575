"""Programs that open plug-ins, helpers and data: each with what it needs, by ``--add``."""

from __future__ import annotations

import platform

from tests.docker.program import BARE, Naive, Program
from tests.docker.rows import library

_LIB = f"/usr/lib/{platform.machine()}-linux-gnu"
_ANY = "usr/lib/*-linux-gnu"

_JAVA = library("usr/lib/jvm/java-17-openjdk-*", "etc/java-17-openjdk") + " --mkdir /tmp:1777"
JAVA = (
    Program(
        "java -version",
        f"/usr/bin/java {_JAVA}",
        "-version",
        says='openjdk version "17.',
        case=(6, 45),
        naive=(Naive("could not find libjava.so", 2),),
    ),
    Program(
        "keytool, with Java's own cryptography",
        f"/usr/bin/keytool --add ./cert.pem {_JAVA}",
        "-printcert -file cert.pem",
        (
            "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=elfpack -keyout key.pem "
            "-out cert.pem",
        ),
        says="Owner: CN=elfpack",
        env=("TZ=UTC",),
        case=(6, 45),
        naive=(Naive("could not find libjava.so", 2),),
    ),
)

_PYTHON = library("usr/lib/python3.[0-9]*") + " --exclude '*/__pycache__/*'"
_SCRIPT = "import sys; print(sys.argv[1:])"
SCRIPTING = (
    Program(
        "python3, ssl and sqlite3",
        f"/usr/bin/python3 {_PYTHON}",
        "-c 'import ssl, sqlite3, ctypes, lzma, curses; print(ssl.OPENSSL_VERSION, "
        'sqlite3.connect(":memory:").execute("select 6*7").fetchone())\'',
        says="(42,)",
        case=(46,),
        naive=(Naive("Could not find platform independent libraries", 1),),
    ),
    Program(
        "python3, multiprocessing.Lock()",
        f"/usr/bin/python3 {_PYTHON}",
        "-c 'import multiprocessing; print(multiprocessing.Lock())'",
        says="<Lock(owner=None)>",
        case=(40,),
        naive=(Naive("Could not find platform independent libraries", 1),),
    ),
    Program(
        "python3, find_library()",
        f"/usr/bin/python3 {_PYTHON} --add /sbin/ldconfig --add /etc/ld.so.cache",
        "-c 'import ctypes.util; print(ctypes.util.find_library(\"c\"))'",
        says="libc.so.6",
        case=(47,),
        naive=(Naive("None", 0, f"/usr/bin/python3 {_PYTHON}"),),
    ),
    Program(
        "a script by env, python3",
        f"./say.py {_PYTHON}",
        "one two",
        (f"sh -c 'echo \"#!/usr/bin/env python3\n{_SCRIPT}\" > say.py && chmod 755 say.py'",),
        says="'one', 'two'",
        inside="one two",
        case=(13,),
    ),
    Program(
        "perl -MPOSIX",
        f"/usr/bin/perl {library(f'{_ANY}/perl-base', f'{_ANY}/perl/5.*', 'usr/share/perl/5.*')}",
        "-MPOSIX -e 'print floor(3.7), strftime(q( %Y), gmtime 0)'",
        says="3 1970",
        case=(50,),
        naive=(Naive("Can't locate POSIX.pm in @INC", 2),),
    ),
    Program(
        "ruby",
        f"/usr/bin/ruby {library('usr/lib/ruby', f'{_ANY}/ruby')} "
        f"{library('usr/share/rubygems-integration')}",
        "-e 'require %q(json); puts JSON.generate({a: Gem::VERSION > %q(1)})'",
        says='{"a":true}',
        case=(49,),
        naive=(Naive("`RubyGems' were not loaded.", 0, args="-e 'puts 6*7'"),),
    ),
    Program(
        "php, mb_strlen()",
        f"/usr/bin/php {library('etc/php/*/cli', 'etc/php/*/mods-available', 'usr/lib/php/20*')} "
        "--add /usr/share/zoneinfo",
        '-r \'echo mb_strlen("\u00e4\u00f6"), strlen("\u00e4\u00f6");\'',
        says="24",
        case=(48,),
        naive=(Naive("Call to undefined function mb_strlen()", 255),),
    ),
    Program(
        "node, dns and accounts",
        f"/usr/bin/node {library('usr/share/nodejs')}",
        "-e 'const d = require(`dns`), o = require(`os`); d.lookup(`localhost`, {family: 4}, "
        "(e, a) => d.lookupService(a, 80, (f, h, s) => console.log(e, a, f, s, "
        "o.userInfo().username)))'",
        says="null 127.0.0.1 null http root",
        case=(51,),
        naive=(
            Naive("uv_os_get_passwd", 1, f"/usr/bin/node {library('usr/share/nodejs')} {BARE}"),
            Naive(
                "null 127.0.0.1 null 80 root",
                0,
                f"/usr/bin/node {library('usr/share/nodejs')} --without nss",
            ),
        ),
    ),
    Program(
        "tclsh",
        "/usr/bin/tclsh --add /usr/share/tcltk/tcl8.6 --add ./six.tcl",
        "six.tcl",
        ("sh -c 'echo \"puts [expr 6*7]; puts [clock format 0 -gmt 1 -format %Y]\" > six.tcl'",),
        says="42\n1970",
        case=(57,),
        naive=(Naive("Can't find a usable init.tcl", 0, args="/dev/null"),),
    ),
)

_NGINX = "/usr/sbin/nginx --with users=www-data:33:33 --add /etc/nginx"
_NGINX_MODULES = library(
    "usr/lib/nginx/modules", "usr/share/nginx/modules", "usr/share/nginx/modules-available"
)
_NGINX_DIRECTORIES = "--mkdir /var/log/nginx --mkdir /var/lib/nginx --mkdir /run"
_DATABASE = (
    "/usr/lib/postgresql/15/bin/postgres /usr/lib/postgresql/15/bin/initdb /bin/sh "
    "--with users=postgres:1000:1000 --mkdir /tmp:1777 --mkdir /data:0700:1000:1000"
)
_INITDB = (
    "P=/usr/lib/postgresql/15/bin; $P/initdb -D $D --no-locale >/dev/null 2>&1 && "
    'echo "select 6*7 as answer" | $P/postgres --single -D $D postgres 2>/dev/null'
)
_TEMPLATES = "--add /usr/share/postgresql/15 --add /usr/share/postgresql-common"
_START = ("--entrypoint", "/usr/lib/postgresql/15/bin/initdb", "--user", "postgres")
SERVERS = (
    Program(
        "nginx -t",
        f"{_NGINX} {_NGINX_MODULES} {_NGINX_DIRECTORIES}",
        "-t",
        says="nginx.conf test is successful",
        case=(52,),
        naive=(
            Naive('open() "/etc/nginx/nginx.conf" failed'),
            Naive(
                'getpwnam("www-data") failed',
                layer="/usr/sbin/nginx --add /etc/nginx --mkdir /var/log/nginx",
            ),
            Naive(
                'dlopen() "/usr/share/nginx/modules/ngx_http_echo_module.so" failed',
                layer=f"{_NGINX} --mkdir /var/log/nginx --add /usr/share/nginx/modules-available",
            ),
            Naive('open() "/run/nginx.pid" failed', layer=f"{_NGINX} {_NGINX_MODULES}"),
        ),
    ),
    Program(
        "initdb and postgres --single",
        f"{_DATABASE} --add /usr/lib/postgresql/15/lib --add /usr/share/zoneinfo {_TEMPLATES}",
        f"-u nobody -- /bin/sh -c 'D=$(mktemp -d); {_INITDB}; rm -r $D'",
        host="/usr/sbin/runuser",
        inside=f"-c 'D=/data; {_INITDB}'",
        says='answer = "42"',
        options=("--entrypoint", "/bin/sh", "--user", "postgres"),
        case=(53,),
        naive=(
            Naive(
                'program "postgres" is needed by initdb but was not found',
                layer="/usr/lib/postgresql/15/bin/initdb --with users=postgres:1000:1000",
                args="-D /data",
                options=_START,
            ),
            Naive("postgres.bki", 1, _DATABASE, "-D /data", _START),
            Naive(
                'could not access file "$libdir/dict_snowball"',
                1,
                f"{_DATABASE} {_TEMPLATES}",
                "-D /data",
                _START,
            ),
        ),
    ),
    Program(
        "git over https, its helper",
        "/usr/bin/git --add /usr/lib/git-core/git-remote-https",
        "ls-remote https://localhost:99999/",
        says="unable to access 'https://localhost:99999/': URL using bad/illegal format",
        status=128,
        case=(42,),
        naive=(Naive("'remote-https' is not a git command", 128),),
    ),
)

TOOLS = (
    Program(
        "openssl dgst -provider legacy",
        f"/usr/bin/openssl --add {_LIB}/ossl-modules --add ./data.txt",
        "dgst -provider legacy -md4 data.txt",
        says="MD4(data.txt)= ",
        case=(43,),
        naive=(Naive("unable to load provider legacy"),),
    ),
    Program(
        "openssl req",
        "/usr/bin/openssl --add /usr/lib/ssl/openssl.cnf --add ./key.pem",
        "req -new -key key.pem -subj /CN=x -text -noout",
        ("openssl genrsa -out key.pem 1024",),
        says="Subject: CN = x",
        case=(44,),
        naive=(
            Naive(
                'Can\'t open "/usr/lib/ssl/openssl.cnf"',
                layer=f"/usr/bin/openssl --add ./key.pem {BARE}",
            ),
        ),
    ),
    Program(
        "file",
        f"/usr/bin/file {library('usr/lib/file/magic.mgc', 'usr/share/misc/magic.mgc')}",
        "/usr/bin/file",
        says="ELF 64-bit",
        case=(54,),
        naive=(Naive("could not find any valid magic files"),),
    ),
    Program(
        "nmap",
        "/bin/sh /usr/bin/nmap --add /usr/share/nmap",
        "-c '/usr/bin/nmap -sT -Pn -n -p 1 127.0.0.1 | while read line; do case $line in "
        "1/tcp*) echo $line;; esac; done'",
        says="1/tcp closed tcpmux",
        case=(55,),
        naive=(
            Naive("Unable to find nmap-services!", 1, f"/usr/bin/nmap {BARE}", "-p 1 127.0.0.1"),
            Naive(
                "could not locate nse_main.lua",
                1,
                f"/usr/bin/nmap {BARE}",
                "--script-help http-title",
            ),
        ),
    ),
    Program(
        "gs",
        f"/usr/bin/gs {library('usr/share/ghostscript', 'var/lib/ghostscript')} "
        f"{library('usr/share/fonts/opentype', 'usr/share/fonts/type1')} "
        f"{library('usr/share/color/icc/ghostscript')}",
        "-q -dNODISPLAY -dBATCH -c '6 7 mul ='",
        says="42",
        case=(56,),
        naive=(Naive("Can't find initialization file gs_init.ps"),),
    ),
    Program(
        "gdb",
        f"/usr/bin/gdb {_PYTHON} --add /usr/share/gdb",
        "-q -batch -ex 'python print(6*7)' -ex 'print 6*7'",
        says="42\n$1 = 42",
        case=(58,),
        naive=(Naive("Python not initialized"),),
    ),
    Program(
        "iptables --version, a link to a program of many",
        "/usr/sbin/iptables",
        "--version",
        says="iptables v",
        case=(7,),
        naive=(Naive("No valid subcommand given", 1, f"/usr/sbin/xtables-nft-multi {BARE}"),),
    ),
    Program(
        "iptables -m conntrack",
        f"/usr/sbin/iptables --add {_LIB}/xtables",
        "-m conntrack --help",
        says="--ctstate",
        case=(59,),
        naive=(Naive("Couldn't load match `conntrack'", 2),),
    ),
    Program(
        "gst-inspect-1.0",
        f"/usr/bin/gst-inspect-1.0 --add {_LIB}/gstreamer-1.0 "
        f"--add {_LIB}/gstreamer1.0/gstreamer-1.0/gst-plugin-scanner",
        "playbin",
        says="Player Bin 2",
        env=("GST_REGISTRY=/proc/none",),
        stderr=False,
        case=(60,),
        naive=(Naive("No such element or plugin 'playbin'", 255),),
    ),
    Program(
        "fc-match",
        "/usr/bin/fc-match --mkdir /var/cache/fontconfig "
        f"{library('etc/fonts', 'usr/share/fontconfig', 'usr/share/fonts/truetype/dejavu')}",
        "'DejaVu Sans'",
        says="DejaVuSans.ttf",
        case=(61,),
        naive=(Naive("Cannot load default config file", 0),),
    ),
    Program(
        "vim",
        "/usr/bin/vim.basic --add /usr/share/vim",
        "-es -u /usr/share/vim/vim90/defaults.vim -c 'verbose echo &nrformats' -c qa!",
        says="bin,hex",
        case=(62,),
        naive=(
            Naive(
                "E1187: Failed to source defaults.vim",
                0,
                f"/bin/sh /usr/bin/vim.basic {BARE}",
                "-c 'echo | /usr/bin/vim.basic -T dumb -c qa!'",
            ),
        ),
    ),
    Program(
        "saslpluginviewer",
        f"/usr/sbin/saslpluginviewer --add {_LIB}/sasl2",
        "-c -m PLAIN",
        says='Plugin "plain" [loaded]',
        case=(63,),
        naive=(Naive("matching your criteria are:\n  EXTERNAL\n", 0),),
    ),
    Program(
        "a program of Qt",
        f"./qt --add {_LIB}/qt5/plugins/platforms",
        build=(
            f"gcc -o qt {{src}}/qt.c {_LIB}/libQt5Gui.so.5 {_LIB}/libQt5Core.so.5",
            "gcc -static -o parent {src}/parent.c",
        ),
        says="it has a platform",
        env=("QT_QPA_PLATFORM=offscreen",),
        stderr=False,
        case=(64,),
        naive=(
            Naive(
                "no Qt platform plugin could be initialized", 134, f"./parent ./qt {BARE}", "./qt"
            ),
        ),
    ),
    Program(
        "gdk-pixbuf-csource",
        f"/usr/bin/gdk-pixbuf-csource --add {_LIB}/gdk-pixbuf-2.0 --add /usr/share/mime "
        "--add ./x.ppm",
        "--raw x.ppm",
        ("sh -c 'echo \"P3 1 1 255 1 2 3\" > x.ppm'",),
        says=r'"\1\2\3',
        case=(65,),
        naive=(
            Naive(
                "recognize the image file format",
                1,
                f"/usr/bin/gdk-pixbuf-csource --add ./x.ppm {BARE}",
            ),
        ),
    ),
)

PLUGINS = (*JAVA, *SCRIPTING, *SERVERS, *TOOLS)
