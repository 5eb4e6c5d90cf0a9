"""The drop-in for MXNet's two packing tools: im2rec.py (`script`) and the native im2rec (`native`)."""
