"""The command ``im2rec``, which replaces MXNet's packing tools: im2rec.py (`script`) and native im2rec (`native`)."""
