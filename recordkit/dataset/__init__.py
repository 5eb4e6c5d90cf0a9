"""The samples of .rec files: records by offset, the index, the table of samples, and RecordDataset."""
