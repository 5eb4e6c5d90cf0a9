"""Packing and reading on the machines of a Ray cluster."""
