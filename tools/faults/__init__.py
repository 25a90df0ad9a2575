"""Makes one call after the other fail while elfpack works, ends it at any of them, and looks at
what is left.

    python -m tools.faults [--short] [--cases PATTERN] [--calls PATTERN] [--seed N]

Needs strace, which gives a call an error instead of letting it happen. Calls are counted from where
elfpack's own work begins, late imports included; of many of one name some are taken, evenly. Then
sources change while they are read, several runs write one output, and disks are full.

A run may end with 0 and the very result of an undisturbed one, or with 2, a line that says why, and
what was there before; what is left besides, the next run has to remove. An answer is never another
one, but for errors such as EACCES, which a loader would meet as well.
"""
