"""Hooks of `mkdocs build`: pages that stand elsewhere in the repository, and the command reference.

Documents outside docs/ stay where they are; the site shows them with their links turned to the site's pages. The
reference of the command line is made from the application, so that neither can be forgotten.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "prompts/README.md": "prompts.md",
}
"""Document of the repository -> page of the site."""
COMMANDS = "reference/cli.md"
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s#]+)(#[^()\s]*)?\)")
IMAGE = re.compile(r"!\[([^\]]*)\]\(docs/([^()\s]+)\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=relink(text, source)))
    files.append(File.generated(config, COMMANDS, content=command_reference()))
    return files


def relink(text: str, source: str) -> str:
    """Turn the links of a document to the site's pages; what is not on the site becomes plain text.

    Args:
        text: Markdown.
        source: Path of the document in the repository.

    Returns:
        Markdown whose links fit the page in `PAGES`.
    """
    folder = posixpath.dirname(source)

    def turned(match: re.Match[str]) -> str:
        label, target, anchor = match[1], match[2], match[3] or ""
        if "://" in target:
            return match[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        if path in PAGES:
            return f"[{label}]({PAGES[path]}{anchor})"
        if path.startswith("docs/") and (ROOT / path).is_file():
            return f"[{label}]({path.removeprefix('docs/')}{anchor})"
        return label

    return LINK.sub(turned, IMAGE.sub(r"![\1](\2)", text))


def command_reference() -> str:
    """Every command with its arguments and options, from the application itself, in Markdown."""
    import typer
    from typer.cli import get_docs_for_click

    from senbench.cli.main import application

    command = typer.main.get_command(application())
    _whole_lines(command)
    context = command.context_class(command, info_name="senbench")
    text = get_docs_for_click(obj=command, ctx=context, name="senbench", title="Command line")
    # <str> in running text would be read as HTML
    return re.sub(r"(?m)^(\* `[^`\n]*`)(: .*)?$", lambda m: m[1] + (m[2] or "").replace("<", "&lt;"), text)


def _whole_lines(command: Any) -> None:
    """In the lists of commands, the whole first sentence instead of 45 characters of it."""
    for inner in getattr(command, "commands", {}).values():
        inner.short_help = inner.help
        _whole_lines(inner)
