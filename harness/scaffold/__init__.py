"""Templates of plugin distributions, and what writes them (``harness new-plugin``)."""
