"""Throughput of image loaders on one .rec file and one machine, measured side by side.

`resolve_workload` says what every loader has to do, `run_comparison` measures, and the result is a `Report`, which
`table`, `page` and `plot` show. A library: it prints nothing and parses no command line.
"""
