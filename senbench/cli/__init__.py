"""The command line: arguments to calls, one module per command."""
