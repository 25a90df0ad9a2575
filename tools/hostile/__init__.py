"""A corpus of hostile files. ``python -m tools.hostile OUT`` writes it; ``tests/hostile`` looks
what elfpack does with it."""
