"""ImageRecordIter: MXNet's parameters and way of iterating, on top of the loader."""
