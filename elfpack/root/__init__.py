"""The tree under analysis, and the only code that touches it."""
