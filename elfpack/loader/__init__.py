"""The dynamic loaders' rules: which objects are loaded, from where, in which order, and why."""
