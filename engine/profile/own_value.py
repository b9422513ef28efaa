"""The value that an id itself has written, whatever others show that are joined with it: what stays if they leave."""

from typing import Any

from engine.profile.cellpath import cell_path
from engine.profile.document import Path, Profile


def own_value(profile: Profile, id: str, path: Path) -> Any:
    """Return the value that `id` has written at `path`; None if it has written none."""
    part = profile.parts.get(id)
    return None if part is None else part.cells.get(cell_path(path))
