"""What records say together: statistics, and one row a configuration."""
