"""A plan in, bytes out. Writers are pure; sinks write one output, whole or not at all."""
