"""Pack, check and read MXNet RecordIO image datasets, with or without MXNet."""
