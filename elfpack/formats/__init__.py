"""One file a format: parse and dump side by side, no file access."""
