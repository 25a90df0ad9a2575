"""One ELF file in, one record out."""
