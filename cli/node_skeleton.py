"""`headrace nodes new NAME`: writes a node type of a project, with a test and its documentation, to fill in."""

import re
from pathlib import Path

from rich.console import Console

from cli.check import is_project
from engine.flow.node_draft import COMMON_KEYS
from engine.flow.own_type import NAME
from engine.flow.registry import Registry
from flows.own_nodes import FOLDER

NODE = '''\
"""The node type `{name}`."""

from typing import Annotated

from nodes.authoring import ANYTHING, Meta, Node, NodeContext, Outcome, Port


class {type}(Node, frozen=True, tag="{name}"):
    """Say here in one sentence what the node does.

    Say below it what authors of flows have to know. This text, the descriptions of the fields and ports, and the
    examples are the page of the type: `headrace nodes {name}`.
    """

    amount: Annotated[float, Meta(description="What the field is for", examples=["{{{{ event.properties.total }}}}"])]

    examples = (
        """\\
result:
  {name}: {{amount: "{{{{ event.properties.total }}}}"}}
""",
    )

    output = ANYTHING  # what later nodes read as `nodes.<id>.out`

    done = Port("When the node leaves by this port", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Return a port with the output and effects. All comes from the fields and the context: no clock, no files."""
        if self.amount < 0:
            return self.failed(reason="the amount is negative")
        return self.done({{"amount": self.amount}})
'''
TEST = '''\
"""The node type `{name}`. Run `pytest {folder}`, or only the contract: `headrace nodes test {name}`."""

from pathlib import Path

import pytest

from cli.testing.node_contract import node_contract, own_node
from cli.testing.node_sample import node_context

{type} = own_node(Path(__file__).parents[1], "{name}")


def test_it_keeps_the_contract():
    node_contract({type})


@pytest.mark.parametrize(("amount", "port"), [(12.5, "done"), (0, "done"), (-1, "failed")])
def test_a_negative_amount_leaves_by_failed(amount, port):
    assert {type}(amount=amount).run(node_context()).port == port
'''


def write_skeleton(root: Path, name: str, registry: Registry, console: Console) -> int:
    """Write the files of a new node type into the project at `root`. Exit code 2 if the name is no good."""
    problem = _problem(root, name, registry)
    stem = re.sub(r"\W", "_", name)
    files = {f"{stem}.py": NODE, f"test_{stem}.py": TEST}
    taken = next((root / FOLDER / file for file in files if (root / FOLDER / file).exists()), None)
    if problem or taken is not None:
        console.print(problem or f"{taken} exists already.", markup=False, highlight=False)
        return 2
    type = "".join(word.capitalize() for word in re.split(r"[._-]", name))
    (root / FOLDER).mkdir(exist_ok=True)
    for file, text in files.items():
        (root / FOLDER / file).write_text(text.format(name=name, type=type, folder=FOLDER), encoding="utf-8")
        console.print(f"Written: {root / FOLDER / file}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"Next: `headrace nodes test {name}`, and `headrace nodes {name}` shows its page.", highlight=False)
    return 0


def _problem(root: Path, name: str, registry: Registry) -> str:
    """Return why no type of this name can be written; an empty text if it can."""
    if not is_project(root):
        return f"{root} is no project. `headrace init {root}` makes one there."
    if not NAME.fullmatch(name) or name in COMMON_KEYS:
        return f"`{name}` is not a name of a node type: small letters, digits, - and _, e.g. `loyalty.points`."
    if registry.find(name) is not None:
        return f"The node type `{name}` exists already, in {registry.places.get(name, 'Headrace itself')}."
    return ""
