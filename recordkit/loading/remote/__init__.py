"""Records in a store, which are fetched before a loader reads them."""
