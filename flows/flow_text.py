"""Flows from their texts alone: earlier versions, with which runs that wait go on."""

from hashlib import sha256

from engine.flow.compile import compile_flow
from engine.flow.names import ProjectNames
from engine.flow.plan import Flow
from engine.flow.registry import Registry
from engine.project.project import CompileText
from flows.reader import read_yaml


def version_of(text: str) -> str:
    """Return the version of a flow: the hash of its text."""
    return sha256(text.encode()).hexdigest()


def compiler_of(names: ProjectNames, registry: Registry) -> CompileText:
    """Return a function that compiles the text of a flow, or says what is wrong with it."""

    def compile_text(text: str) -> Flow | str:
        document = read_yaml(text, "")
        if document.failed:
            return "the flow's version is no YAML any more"
        flow, problems = compile_flow(
            document.data, names, registry, document.line, version=version_of(document.text), text=document.text
        )
        if flow is not None:
            return flow
        first = next(problem for problem in problems if problem.severity == "error")
        return f"the flow's version has errors by now, first {first.code}: {first.message}"

    return compile_text
