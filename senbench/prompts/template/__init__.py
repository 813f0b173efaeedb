"""Jinja templates: rendering, filters, and the sandbox for strangers' templates."""
