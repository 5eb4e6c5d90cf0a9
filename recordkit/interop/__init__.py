"""Bridges to other libraries and foreign formats, one module or package each; none imports another."""
