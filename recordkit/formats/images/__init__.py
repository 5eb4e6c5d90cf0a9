"""Headers and parts of encoded images."""
