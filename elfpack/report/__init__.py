"""Records in, lines out. Nothing here reads a file or prints."""
