"""Measures elfpack against its peers, in turns, and writes BENCHMARKS.md.

    python -m tools.bench [--rows PATTERN] [--turns N] [--quick] [--write]

Every figure is that of a whole process, after a warm-up, with all files in the page cache.
Commands that are compared take turns, so that a machine that gets slower gets slower for both; a
ratio is the median of the turns' ratios. A command that ends otherwise than expected, or writes
something else, has no figure: its rows tell why.
"""
