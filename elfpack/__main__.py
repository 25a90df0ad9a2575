"""``python -m elfpack``."""

if __name__ == "__main__":
    try:
        from elfpack.cli import script

        status = script()
    except KeyboardInterrupt:  # main() knows what to do with all others
        import os

        os.write(2, b"elfpack: error: interrupted (nothing was left behind)\n")
        status = 2
    raise SystemExit(status)
