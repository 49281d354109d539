"""What a person reads: tables, plots, data frames."""
