"""Which sample is next: orders, samplers, and the saved state. Numbers only; no file is opened here."""
