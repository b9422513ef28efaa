"""The recipe for user tokens in the page for client developers makes tokens that prove what they say."""

import re
import time
from pathlib import Path
from typing import Any

from engine.tracking.intake.user_token import proven_keys

PAGE = Path(__file__).parents[2] / "docs" / "tracking.md"
SECRET = "s3cret-of-the-shop-and-its-back-end"


def test_the_recipe_makes_a_token():
    (recipe,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {"secret": SECRET}
    exec(recipe, names)  # noqa: S102  # it is our own page
    token = names["user_token"](SECRET, "web-shop", {"pii.email": "ann@example.com"})
    assert proven_keys(token, SECRET, "web-shop", "s-1", int(time.time() * 1000)) == {"pii.email": "ann@example.com"}
