"""Where trials run: one process a trial, forked from a warm server of our own, with limits and progress."""
