"""Edits of existing sets, which choose records and copy their bytes; no image is decoded."""
