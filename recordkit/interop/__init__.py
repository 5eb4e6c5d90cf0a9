"""Bridges to other libraries, one module each; importing a module here is what loads its library's shim."""
