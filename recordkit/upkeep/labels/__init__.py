"""The labels of records and the names of classes: united, renamed, replaced, and what has changed."""
