"""The command line: arguments to calls, nothing else. One module per group of commands."""
