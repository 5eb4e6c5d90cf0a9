"""Looking at datasets on a cluster: each task reads a shard, or a range of the records of one file."""
