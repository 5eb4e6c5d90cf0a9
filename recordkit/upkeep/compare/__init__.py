"""Comparing the keys, labels and encoded images of records: of two datasets, or within one."""
