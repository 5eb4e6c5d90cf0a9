"""NumPy's files: `npy` has one array, `npz` several in a zip archive. Pickled objects are refused."""
