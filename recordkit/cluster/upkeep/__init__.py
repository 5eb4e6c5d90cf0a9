"""Looking at datasets on a cluster: each task reads a range of the records of one file."""
