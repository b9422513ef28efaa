"""The commands of `headrace nodes`, one function each. Any other word is the name of a type to show."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli.console import Console
from cli.options import ProjectOption

Name = Annotated[str | None, typer.Argument(help="A node type, e.g. profile.merge", show_default="all")]

SHOW = "show"


class NodesGroup(TyperGroup):
    """A group whose commands are words that no node type may have; every other word is shown as a type."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command `show` in front of the arguments unless they begin with a command."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [SHOW, *args]
        return super().parse_args(ctx, args)


node_types = typer.Typer(
    cls=NodesGroup, help="List the node types, show one (`headrace nodes TYPE`), or write and test your own."
)


@node_types.command(SHOW)
def nodes_show(name: Name = None, project: ProjectOption = Path()) -> None:
    """List the node types, or show one with its fields, ports and an example."""
    from cli.nodes import registry_of, show

    raise typer.Exit(show(name, Console(), registry_of(project, Console(stderr=True))))


@node_types.command("new")
def nodes_new(
    name: Annotated[str, typer.Argument(help="The name of the new type, e.g. loyalty.points")],
    project: ProjectOption = Path(),
) -> None:
    """Write a node type of your own into the project's `nodes/`, with a test, to fill in."""
    from cli.node_skeleton import write_skeleton
    from cli.nodes import registry_of

    raise typer.Exit(write_skeleton(project, name, registry_of(project, Console(stderr=True)), Console()))


@node_types.command("test")
def nodes_test(name: Name = None, project: ProjectOption = Path()) -> None:
    """Check the contract of your own node types: documented, pure, with examples that run."""
    from cli.nodes import registry_of, test

    raise typer.Exit(test(name, Console(), registry_of(project, Console(stderr=True))))


@node_types.command("docs")
def nodes_docs(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the page to this file")] = None,
    project: ProjectOption = Path(),
) -> None:
    """Print the page of your own node types, in Markdown."""
    from cli.nodes import document, registry_of

    raise typer.Exit(document(output, Console(), registry_of(project, Console(stderr=True))))
