"""Writes the reference pages that would drift by hand: commands, tools, task.yaml, the tasks.

MkDocs calls the functions named `on_...`. A generated page is a hand-written one in which a line
`<!-- generated: NAME -->` is replaced, or, for the tasks, a page made whole.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlgym.config import EvalConfig
from mlgym.task.schema import TaskSpec
from mlgym.task.spec import Task, load_task

ROOT = Path(__file__).resolve().parent.parent
MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    (section,) = (part["Tasks"] for part in config.nav or () if "Tasks" in part)
    section += [{folder.name: f"tasks/{folder.name}.md"} for folder in task_folders()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for folder in task_folders():
        page = f"tasks/{folder.name}.md"
        files.append(File.generated(config, page, content=task_page(load_task(folder))))
        for picture in sorted(folder.glob("*.png")):
            path = f"tasks/{folder.name}/{picture.name}"
            files.append(File.generated(config, path, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    del page, config, files
    return MARK.sub(lambda mark: GENERATED[mark[1]](), markdown)


# Tasks


def task_folders() -> list[Path]:
    return sorted(path.parent for path in (ROOT / "tasks").glob("*/task.yaml"))


def task_page(task: Task) -> str:
    spec = task.spec
    budget, resources = spec.budget, spec.resources
    facts = {
        "Gym id": f"`{spec.gym_id}`",
        "Domain": spec.domain.replace("_", " "),
        "Submission": f"{', '.join(f'`{path}`' for path in spec.submission.paths)}"
        f" ({spec.submission.kind}, at most {spec.submission.max_mb:g} MB)",
        "Image": f"`{spec.image}`",
        "Budget": f"{budget.steps} steps, {budget.wall_s / 3600:g} h in all, "
        f"{budget.command_s / 60:g} min a command",
        "Sandbox": f"{resources.cpus:g} CPUs, {resources.memory_gb:g} GB of memory, "
        f"{resources.disk_gb:g} GB of disk",
    }
    parts = [f"# {spec.id}", f"*{spec.title}*", table(("what", "value"), facts.items())]
    parts += ["## Metrics", table(("metric", "goal", "profile", "baseline", "target"), marks(spec))]
    for profile in spec.profiles:
        quoted = task.brief_text(profile).replace("\n", "\n    ")
        parts += [f'??? quote "What the agent is told (`{profile}`)"\n\n    {quoted}']
    readme = task.folder / "README.md"
    if readme.is_file():
        # The folder's README begins with a title of its own; the page has one. Its pictures lie
        # beside it, the page's one level deeper.
        text = re.sub(r"\A#[^\n]*\n", "", readme.read_text(encoding="utf-8"))
        parts.append(re.sub(r"\]\((\w+\.png)\)", rf"]({spec.id}/\1)", text))
    return "\n\n".join(parts) + "\n"


def marks(spec: TaskSpec) -> Iterator[tuple[str, ...]]:
    for metric in spec.metrics:
        for name, profile in spec.profiles.items():
            values = (profile.baseline.get(metric.name), profile.target.get(metric.name))
            shown = ("" if value is None else f"{value:.6g}" for value in values)
            yield (f"`{metric.name}`", metric.goal, name, *shown)


# Commands


def commands() -> str:
    from mlgym.cli.main import app

    return "\n\n".join(command_pages(typer.main.get_command(app), "mlgym"))


def command_pages(command: Any, path: str) -> Iterator[str]:
    """The page of a command, or those of a group's. Typer brings a click of its own: no types."""
    if hasattr(command, "commands"):
        for name, inner in sorted(command.commands.items()):
            yield from command_pages(inner, f"{path} {name}")
        return
    context = typer.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"## `{path}`\n\n{command.help or ''}\n\n```text\n{path} {usage}\n```"
    records = [record for item in command.params if (record := item.get_help_record(context))]
    # click gives arguments no record of their own; typer's do, where they have a help text.
    if records:
        yield table(("option", ""), ((f"`{name}`", text) for name, text in records))


# Tools


def tools() -> str:
    from mlgym.tools.registry import tool_specs

    rows: list[tuple[str, str, str]] = []
    for tool in tool_specs(None):
        required = tool.parameters["required"]
        arguments = tool.parameters["properties"]
        call = ", ".join(name if name in required else f"{name}?" for name in arguments)
        notes = "<br>".join(f"`{name}`: {told['description']}" for name, told in arguments.items())
        rows.append((f"`{tool.name}({call})`", tool.description, notes))
    return table(("call", "what it does", "arguments"), rows)


# task.yaml


def task_yaml() -> str:
    return "\n\n".join(model_tables(TaskSpec, "The whole file", {}))


def suite_yaml() -> str:
    return "\n\n".join(model_tables(EvalConfig, "Every field", {}))


def model_tables(model: type[BaseModel], title: str, seen: dict[type, str]) -> Iterator[str]:
    seen[model] = title
    yield f"## {title}\n\n{inspect.getdoc(model) or ''}"
    fields = model.model_fields
    yield table(
        ("field", "type", "default"),
        ((f"`{name}`", type_name(field), default(field)) for name, field in fields.items()),
    )
    for name, field in fields.items():
        for inner in models_in(field.annotation):
            if inner not in seen:
                yield from model_tables(inner, f"`{name}`", seen)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def type_name(field: FieldInfo) -> str:
    return f"{written(field.annotation)}".replace("|", "\\|")


def written(kind: Any) -> str:
    """A type as the author of a YAML file thinks of it."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return written(inner[0])
    if origin is tuple:
        return f"list of {written(inner[0])}"
    if origin in (dict, Mapping):
        return f"mapping of {written(inner[0])} to {written(inner[1])}"
    if origin is UnionType or str(origin) == "typing.Union":
        return written(next(part for part in inner if part is not type(None)))
    if inner:
        return " or ".join(f"`{value}`" for value in inner)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "section"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return {**names, Path: "path", Any: "anything"}.get(kind, str(kind))


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, BaseModel) or value in ((), {}, ""):
        return ""
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("\n", " ") for cell in line) + " |" for line in lines
    )


GENERATED: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "tools": tools,
    "task_yaml": task_yaml,
    "suite_yaml": suite_yaml,
}
