"""Programs that run as they are: the interpreter and the libraries are all that they need."""

from __future__ import annotations

from tests.docker.program import Plain

_EVIDENCE = ("nss", "users", "libgcc", "certs", "gconv", "tmp", "dlopen")
"""The modules that may act by themselves."""
PLAIN = (
    Plain("seq", "/usr/bin/seq", "3", says="1\n2\n3\n"),
    Plain("od", "/usr/bin/od --add ./data.txt", "-c data.txt", says="s   o   m   e"),
    Plain("hello in C++", "./hello", build=("g++ -o hello {src}/hello.cpp",), says="hello"),
    Plain("less --version", "/usr/bin/less", "--version", says="less "),
    Plain(
        "curl file:",
        "/usr/bin/curl --add ./data.txt",
        "-s file://{here}/data.txt",
        inside="-s file:///data.txt",
        says="some data",
        adds=_EVIDENCE,
    ),
    Plain(
        "haproxy -c",
        "/usr/sbin/haproxy --add ./haproxy.cfg",
        "-c -f haproxy.cfg",
        ("cp {src}/haproxy.cfg .",),
        says="Configuration file is valid",
        adds=_EVIDENCE,
    ),
    Plain(
        "postgres --version",
        "/usr/lib/postgresql/15/bin/postgres",
        "--version",
        says="postgres (PostgreSQL) 15",
        adds=_EVIDENCE,
    ),
    Plain(
        "systemctl --version",
        "/usr/bin/systemctl",
        "--version",
        says="systemd 25",
        case=(16,),
        adds=_EVIDENCE,
    ),
    Plain(
        "ffmpeg -version",
        "/usr/bin/ffmpeg",
        "-version",
        says="ffmpeg version",
        adds=_EVIDENCE,
    ),
    Plain("musl, hello", "./hello", build=("musl-gcc -o hello {src}/hello.c",), says="hello"),
    Plain("static, hello", "./hello", build=("gcc -static -o hello {src}/hello.c",), says="hello"),
)
