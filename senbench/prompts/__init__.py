"""Prompts: class vocabularies, Jinja styles, users' files; rendered and aligned to a dataset by class name.

Importing this package costs nothing: jinja2, yaml and pydantic are imported when a function needs them.
"""

from senbench.prompts.load import StyleSummary, list_styles, load_prompts, prompt_hash, prompts_from_dict
from senbench.prompts.vocabulary import load_vocabulary, vocabulary_for, vocabulary_for_keys

__all__ = [
    "StyleSummary",
    "list_styles",
    "load_prompts",
    "load_vocabulary",
    "prompt_hash",
    "prompts_from_dict",
    "vocabulary_for",
    "vocabulary_for_keys",
]
