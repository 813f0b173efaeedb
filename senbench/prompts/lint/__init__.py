"""The linter of prompts."""
