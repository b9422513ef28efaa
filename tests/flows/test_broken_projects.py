"""Targets that can never be called, and declared paths that a node misuses: one problem for each."""

from pathlib import Path

import pytest

from tests.flows.one_file import GOOD, SETTINGS, Expected, changed, diagnostics_of, found

MISTAKES = [
    ("a target without a host", GOOD, "targets:\n  crm: {url: 'https://'}\n", Expected("H427", "2:14", "`https://`")),
    (
        "a target with port 0",
        GOOD,
        "targets:\n  crm: {url: 'https://crm.example:0/'}\n",
        Expected("H427", "2:14", "write the port of the server, or leave"),
    ),
    (
        "a target with a port beyond 65535",
        GOOD,
        "targets:\n  crm: {url: 'https://crm.example:99999'}\n",
        Expected("H427", "2:14", "`https://host`"),
    ),
    (
        "a target with a user",
        GOOD,
        "targets:\n  crm: {url: 'https://u:p@crm.example'}\n",
        Expected("H427", "2:14", '`headers: {Authorization: "${env:NAME}"}`'),
    ),
    (
        "a target with a fragment",
        GOOD,
        "targets:\n  crm: {url: 'https://crm.example/#a'}\n",
        Expected("H427", "2:14", "delete `#` and what follows"),
    ),
    (
        "a target with a star",
        GOOD,
        "targets:\n  crm: {url: 'https://*.example'}\n",
        Expected("H427", "2:14", "a target is one host: write its name"),
    ),
    (
        "a target with a space",
        GOOD,
        "targets:\n  crm: {url: 'https://crm.example/a b'}\n",
        Expected("H427", "2:14", "write a space of the path as `%20`"),
    ),
    (
        "a target with two schemes",
        GOOD,
        "targets:\n  crm: {url: 'https://https://crm.example'}\n",
        Expected("H427", "2:14", "write one address"),
    ),
    (
        "a target with a brace",
        GOOD,
        "targets:\n  crm: {url: 'https://{host}.example'}\n",
        Expected("H427", "2:14", "a target is one host: write its name"),
    ),
    (
        "a private target",
        GOOD,
        "targets:\n  crm: {url: 'http://10.0.0.7'}\n",
        Expected("H416", "2:14", "`private: true`"),
    ),
    (
        "a target with a header of the connection",
        GOOD,
        "targets:\n  crm: {url: 'https://crm.example', headers: {Host: x}}\n",
        Expected("H427", "2:47", "delete it"),
    ),
    (
        "a target with another key for its url",
        GOOD,
        "targets:\n  crm: {uri: 'https://crm.example'}\n",
        Expected("H402", "2:9", "did you mean `url`?"),
    ),
    (
        "a target that is a text",
        GOOD,
        "targets:\n  crm: https://crm.example\n",
        Expected("H404", "2:8", "`crm: {url: https://crm.example}`"),
    ),
    (
        "targets as a list",
        GOOD,
        "targets:\n  - name: crm\n    url: https://crm.example\n",
        Expected("H404", "1:1", "`targets:`"),
    ),
    ("a path without its slash", changed("path: /vip", "path: vip"), SETTINGS, Expected("H114", "15:38", "`/vip`")),
    (
        "a path that is an address",
        changed("path: /vip", "path: https://crm.example/vip"),
        SETTINGS,
        Expected("H114", "15:38", "write only the part behind the target's"),
    ),
    (
        "a path with its query",
        changed("path: /vip", 'path: "/vip?id={{ event.id }}"'),
        SETTINGS,
        Expected("H114", "15:38", "`query:`"),
    ),
    (
        "a path that leads upwards",
        changed("path: /vip", "path: /a/../b"),
        SETTINGS,
        Expected("H114", "15:38", "write the path without it"),
    ),
    (
        "a path with an empty part",
        changed("path: /vip", "path: //vip"),
        SETTINGS,
        Expected("H114", "15:38", "write one `/`"),
    ),
    (
        "a path with a fragment",
        changed("path: /vip", 'path: "/vip#x"'),
        SETTINGS,
        Expected("H114", "15:38", "delete it with what follows; write"),
    ),
    (
        "an object at a declared field",
        changed("segment.add: vip", "profile.set: {traits.first: {a: 1}}"),
        SETTINGS + "fields: {traits.first: oldest}\n",
        Expected("H430", "12:33", "write a text, a number, true or false,"),
    ),
    (
        "a list at a declared field",
        changed("segment.add: vip", "profile.set: {traits.first: [1]}"),
        SETTINGS + "fields: {traits.first: min}\n",
        Expected("H430", "12:33", "write a text, a number, true or false,"),
    ),
    (
        "a path below a declared field",
        changed("segment.add: vip", "profile.set: {traits.first.a: 1}"),
        SETTINGS + "fields: {traits.first: oldest}\n",
        Expected("H430", "12:19", "write to another path"),
    ),
    (
        "all properties at a declared key",
        changed("segment.add: vip", 'profile.set: {pii.email: "{{ event.properties }}"}'),
        SETTINGS + "keys: {pii.email: email}\n",
        Expected("H430", "12:30", "write a text, a number, true or false,"),
    ),
    (
        "all properties at the path of user ids",
        changed("segment.add: vip", 'profile.set: {traits.customer: "{{ event.properties }}"}'),
        SETTINGS + "identity: {user: traits.customer}\n",
        Expected("H430", "12:36", "write a text, a number, true or false,"),
    ),
    (
        "a key with an unknown member",
        GOOD,
        SETTINGS + "keys: {traits.customer: {unique: true}}\n",
        Expected("H402", "3:26", "known here: `exclusive`, `form`"),
    ),
    (
        "exclusive keys at the top of the file",
        GOOD,
        SETTINGS + "exclusive: [traits.customer]\n",
        Expected("H402", "3:1", "declare it at the key: `keys: {traits.customer: {exclusive: true}}`"),
    ),
    (
        "exclusive keys below merging",
        GOOD,
        SETTINGS + "merging: {exclusive: [traits.customer]}\n",
        Expected("H402", "3:11", "declare it at the key: `keys: {traits.customer: {exclusive: true}}`"),
    ),
    (
        "a key of a source in the settings",
        GOOD,
        SETTINGS + "identify: link\n",
        Expected("H402", "3:1", "write it in the file of a source"),
    ),
    (
        "a path of a key in two steps",
        GOOD,
        SETTINGS + "keys:\n  traits:\n    customer: {exclusive: true}\n",
        Expected("H402", "5:5", "`traits.customer: …`"),
    ),
    (
        "a session handed over by a key whose declaration is wrong",
        changed("segment.add: vip", "session.hand_over: {traits.customer: x}"),
        SETTINGS + "keys: {traits.customer: exclusive}\n",
        Expected("H404", "3:25", "write `traits.customer: {exclusive: true}`"),
    ),
    (
        "a key that is exclusive by a text",
        GOOD,
        SETTINGS + 'keys: {traits.customer: {exclusive: "yes"}}\n',
        Expected("H404", "3:37", "write `true`"),
    ),
    (
        "a key that is the word exclusive",
        GOOD,
        SETTINGS + "keys: {traits.customer: exclusive}\n",
        Expected("H404", "3:25", "write `traits.customer: {exclusive: true}`"),
    ),
    (
        "a key that is a switch",
        GOOD,
        SETTINGS + "keys: {traits.customer: true}\n",
        Expected("H404", "3:25", "write a form, e.g. `email`, or a map, e.g. `{form: exact, exclusive: true}`"),
    ),
    (
        "a key of an unknown form in a map",
        GOOD,
        SETTINGS + "keys: {pii.phone: {form: telephone, exclusive: true}}\n",
        Expected("H404", "3:26", "known here: `email`, `exact`, `lower`, `phone`"),
    ),
    (
        "a key whose map is not indented",
        GOOD,
        SETTINGS + "keys:\n  traits.customer:\n  exclusive: true\n",
        Expected("H037", "5:3", "put two spaces before each of them"),
    ),
    (
        "an identity that is a text",
        GOOD,
        SETTINGS + "identity: traits.customer\n",
        Expected("H404", "3:11", "write `identity: {user: traits.customer}`"),
    ),
    (
        "an identity without a user",
        GOOD,
        SETTINGS + "identity: {}\n",
        Expected("H403", "3:1", "add `user:` (the path of user ids, e.g. traits.customer)"),
    ),
    (
        "an identity with an unknown member",
        GOOD,
        SETTINGS + "identity: {user: traits.customer, visitor: traits.device}\n",
        Expected("H402", "3:35", "known here: `user`"),
    ),
    (
        "a user id outside of traits and pii",
        GOOD,
        SETTINGS + "identity: {user: customer}\n",
        Expected("H404", "3:18", "`traits.…`, `pii.…`"),
    ),
    (
        "a user id whose path is no path",
        GOOD,
        SETTINGS + "identity: {user: traits..customer}\n",
        Expected("H204", "3:25", "join names by dots"),
    ),
    (
        "a user id that is not exclusive",
        GOOD,
        SETTINGS + "keys: {traits.customer: {exclusive: false}}\nidentity: {user: traits.customer}\n",
        Expected("H404", "3:37", "delete `exclusive: false`"),
    ),
    (
        "an increment of a declared field",
        changed("segment.add: vip", "profile.increment: {traits.first: 1}"),
        SETTINGS + "fields: {traits.first: oldest}\n",
        Expected("H410", "12:25", "`fields:`"),
    ),
]


@pytest.mark.parametrize(
    ("text", "settings", "expected"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES]
)
def test_a_mistake_is_one_problem_at_its_place_with_its_remedy(
    tmp_path: Path, text: str, settings: str, expected: Expected
) -> None:
    diagnostics = diagnostics_of(tmp_path, text, settings)
    assert found(diagnostics) == [(expected.code, expected.place)]
    assert expected.help in diagnostics[0].help
