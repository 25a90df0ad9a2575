"""What build scripts import, by way of :mod:`elfpack`: thin over the records of the rooms below."""
