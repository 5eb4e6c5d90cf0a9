"""Throughput of iterators over one .rec file on one machine, measured side by side."""
