"""Training data: labels and sizes of a .rec file, folders of images, and batches for the network."""
