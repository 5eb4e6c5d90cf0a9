"""ImageRecordIter: MXNet's parameters and iteration protocol, on top of the loader."""
