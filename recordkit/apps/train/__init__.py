"""The trainer: a LeNet from a packed .rec file to a known accuracy, with MXNet's Module API."""
