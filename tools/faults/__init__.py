"""Makes one call after the other fail while elfpack works, ends it at any of them, and looks at
what is left.

    python -m tools.faults [--short] [--cases PATTERN] [--calls PATTERN] [--seed N]

Needs strace, which gives a call an error instead of letting it happen. Calls are counted from where
elfpack's own work begins, late imports included; of many that are alike some are taken.
"""
