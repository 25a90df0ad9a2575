"""``python -m elfpack``."""

import os

if __name__ == "__main__":
    try:
        from elfpack.cli import script

        status = script()
    except KeyboardInterrupt:  # main() knows what to do with all others
        os.write(2, b"elfpack: error: interrupted (nothing was left behind)\n")
        status = 2
    except (MemoryError, SystemError):  # nor can it be loaded
        os.write(2, b"elfpack: error: out of memory (raise the limit, ulimit -v)\n")
        status = 2
    raise SystemExit(status)
