"""The cache of pages of remote objects on the local disk, and what decides about them."""
