"""Ways to load a .rec file, behind the same three functions; see `recordkit.bench.peers.peer`."""
