"""Checking .rec files: frames, records, and the files beside them."""
