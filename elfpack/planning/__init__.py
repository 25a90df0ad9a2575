"""From closures and runtime modules to a plan: which path, which bytes, and why."""
