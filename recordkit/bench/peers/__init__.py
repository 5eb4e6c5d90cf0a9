"""Loaders of .rec files behind one interface, `recordkit.bench.peers.peer.Peer`."""
