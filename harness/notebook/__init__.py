"""What a notebook or a script asks of the harness: the commands as functions, with DataFrames and figures in return."""
