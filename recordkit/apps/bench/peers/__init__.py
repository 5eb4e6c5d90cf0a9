"""Ways to load a .rec file, behind the same three functions; see `recordkit.apps.bench.peers.peer`."""
