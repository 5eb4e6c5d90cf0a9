"""Files in object stores and on web servers: read by range, created once, uploaded and published."""
