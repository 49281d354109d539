"""One run: from a plan to records, timings and reports."""
