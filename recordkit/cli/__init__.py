"""The `recordkit` command line: a group in `main`, then one module per command."""
