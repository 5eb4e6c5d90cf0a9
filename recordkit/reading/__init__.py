"""From .rec files to samples and batches: which sample is next, in what order, and where an epoch was left."""
