"""Errors a user can cause or meet; each is one line and carries its exit code."""

from __future__ import annotations


class SenbenchError(Exception):
    """Base of every expected failure: what was wrong, with which value, and what to do next."""

    exit_code = 3


class UsageError(SenbenchError):
    """Wrong usage or input: an unknown name, a malformed template, an impossible pairing."""

    exit_code = 2


class UnavailableError(SenbenchError):
    """Could not be done here: data or weights missing or damaged, no network, no space."""

    exit_code = 3


class ContractError(UsageError):
    """A checkpoint and its card, or a card and its architecture, contradict each other."""
