"""From recordings to frames."""
