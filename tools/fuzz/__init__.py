"""Damaged input by the hundred thousand: ``make fuzz``. Good files of every format that elfpack
reads are changed by what their specification calls a field, a record or a line, and go through the
public ways that read them. Whatever is no answer and no error line is a find."""
