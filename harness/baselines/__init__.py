"""Exported sets of records that later runs are checked against."""
