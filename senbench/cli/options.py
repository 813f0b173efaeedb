"""Options that several commands share, under one name and one help text."""

from __future__ import annotations

from typing import Annotated

import typer

Models = Annotated[str, typer.Option("--model", help="Model id, or a comma-separated list.")]
Model = Annotated[str, typer.Option(help="Model id, card file, openclip:... or hf:...")]
Prompts = Annotated[str, typer.Option(metavar="STYLE|PATH", help="Prompt style, or a .j2 or .json file.")]
Dataset = Annotated[str, typer.Option(help="Dataset id or folder:PATH.")]
Split = Annotated[str | None, typer.Option(help="Split name, or a file of tile names.")]
DataDir = Annotated[str | None, typer.Option(help="Folder that holds the data.")]
Weights = Annotated[str | None, typer.Option(help="Local checkpoint file, for a single model.")]
ClassNames = Annotated[str | None, typer.Option(help="Class-name set, or a YAML file.")]
Radiometry = Annotated[str | None, typer.Option(help="How DN become 8-bit, or native.")]
DnOffset = Annotated[
    str, typer.Option(help="Own folder of DN: what to subtract, 0 or 1000; auto: what the metadata tell.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Use a class-stratified subset of N tiles.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Dtype = Annotated[str, typer.Option(help="float32, bf16 or fp16.")]
Offline = Annotated[bool, typer.Option("--offline", help="Fetch nothing.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor keep embeddings.")]
