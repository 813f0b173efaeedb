"""Errors that a user can cause or encounter; each is one line and has its exit code."""

from __future__ import annotations

import re


class SenbenchError(Exception):
    """Base of every expected failure: what was wrong, with which value, and what to do next."""

    exit_code = 3


class UsageError(SenbenchError):
    """Wrong usage or input: an unknown name, a malformed template, an impossible pairing."""

    exit_code = 2


class UnavailableError(SenbenchError):
    """Not possible on this machine now: data or weights missing or damaged, no network, no disk space."""

    exit_code = 3


class ContractError(UsageError):
    """A checkpoint and its card, or a card and its architecture, contradict each other."""


def brief(error: BaseException, most: int = 160) -> str:
    """Return a library's error message on one line of at most `most` characters, plus three dots if shortened.

    Args:
        error: The exception.
        most: Longer messages are cut after a sentence, or if none fits, after a word.

    Returns:
        The text; the name of the exception's type where it has none.
    """
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())  # torch's messages contain codes for bold type
    if not any(character.isalpha() for character in text):
        text = f"{type(error).__name__} {text}".strip()
    if len(text) <= most:
        return text
    head = text[: most + 1]
    sentences = head.rfind(". ")
    return head[:sentences] if sentences > 0 else head.rsplit(" ", 1)[0][:most] + " ..."
