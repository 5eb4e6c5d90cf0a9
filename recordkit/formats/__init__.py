"""File formats, one module each: bytes to values and back. No images, threads or folders of images."""
