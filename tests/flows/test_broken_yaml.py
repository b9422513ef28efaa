"""Files that are not the YAML that their author means: one problem for each, and nothing that follows from it."""

from pathlib import Path

import pytest

from tests.flows.one_file import GOOD, HEAD, Expected, changed, diagnostics_of, found

MISTAKES = [
    (
        "a text in typographic quotes",
        changed('"The order {{ event.id }} is paid"', "“The order {{ event.id }} is paid”"),
        Expected("H032", "18:10", '`log: "The order {{ event.id }} is paid"`'),
    ),
    (
        "a text with a colon in typographic quotes",
        changed('"The order {{ event.id }} is paid"', "“The order: {{ event.id }} is paid”"),
        Expected("H032", "18:10", '`log: "The order: {{ event.id }} is paid"`'),
    ),
    (
        "a name in single typographic quotes",
        changed("segment.add: vip", "segment.add: ‘vip’"),
        Expected("H032", "12:18", '`segment.add: "vip"`'),
    ),
    (
        "a typographic quote that is never closed",
        changed("segment.add: vip", "segment.add: „vip"),
        Expected("H032", "12:18", '`segment.add: "vip"`'),
    ),
    ("a key in typographic quotes", changed("  vip:\n", "  “vip”:\n"), Expected("H032", "11:3", '`"vip":`')),
    ("a no-break space inside a name", changed("order-paid", "order\xa0paid"), Expected("H033", "3:15", "`\\u00a0`")),
    (
        "a no-break space after a colon",
        changed("event: ", "event:\xa0"),
        Expected("H033", "3:9", "write an ordinary space"),
    ),
    (
        "a no-break space after a colon in the middle of a map",
        changed("next: crm", "next:\xa0crm"),
        Expected("H033", "13:10", "write an ordinary space"),
    ),
    (
        "no-break spaces as indentation",
        changed("    next: crm", "\xa0\xa0\xa0\xa0next: crm"),
        Expected("H033", "13:1", "indent by ordinary spaces"),
    ),
    (
        "ideographic spaces as indentation",
        changed("    next: big", "\u3000\u3000next: big"),
        Expected("H033", "7:1", "indent by ordinary spaces"),
    ),
    (
        "a no-break space at the end of a value",
        changed("segment.add: vip", "segment.add: vip\xa0"),
        Expected("H033", "12:21", "`\\u00a0`"),
    ),
    ("a zero-width space in a key", changed("next: big", "next\u200b: big"), Expected("H033", "7:9", "delete it")),
    ("a zero-width space in a value", changed("next: big", "next: big\u200b"), Expected("H033", "7:14", "`\\u200b`")),
    ("a word joiner in a value", changed("order-paid", "order-\u2060paid"), Expected("H033", "3:16", "`\\u2060`")),
    ("a soft hyphen in a value", changed("order-paid", "order\xad-paid"), Expected("H033", "3:15", "`\\u00ad`")),
    (
        "a byte-order mark inside the file",
        changed("next: big", "next: \ufeffbig"),
        Expected("H028", "7:11", "delete it"),
    ),
    (
        "a mark of direction in a value without such letters",
        changed("segment.add: vip", "segment.add: \u200evip"),
        Expected("H033", "12:18", "`\\u200e`"),
    ),
    (
        "a dash in place of the hyphen of an item",
        changed("event: order-paid", "event:\n    – order-paid"),
        Expected("H032", "4:5", "an item of a list begins with `-`"),
    ),
    (
        "a dash in place of a minus",
        changed("traits.orders: 1}", "traits.orders: –1}"),
        Expected("H032", "6:40", "a negative number begins with `-`"),
    ),
    (
        "a dash inside a name",
        changed("order-paid", "order–paid"),
        Expected("H032", "3:15", "write `-`; if it is meant, put the"),
    ),
    ("a full-width colon", changed("next: crm", "next： crm"), Expected("H032", "13:9", "write `: `")),
    (
        "a fence of Markdown around the file",
        "```yaml\n" + GOOD + "```\n",
        Expected("H035", "1:1", "delete the lines with ``` around the"),
    ),
    (
        "a task of Markdown below the file",
        GOOD + "\n- [ ] test it\n",
        Expected("H035", "20:1", "delete it, or make it a comment with `#`"),
    ),
    (
        "a task that is done",
        GOOD + "* [x] test it\n",
        Expected("H035", "19:1", "delete it, or make it a comment with `#`"),
    ),
    ("a quotation of Markdown", "> Counts orders.\n" + GOOD, Expected("H035", "1:1", "` in place of `")),
    ("a bold line of Markdown", "**Counts orders**\n" + GOOD, Expected("H035", "1:1", "make it a comment with `#`")),
    ("a numbered line of Markdown", GOOD + "1. Count orders\n", Expected("H035", "19:1", "make it a comment with `#`")),
    (
        "prose above the file",
        "This flow counts all orders of a customer.\n\n" + GOOD,
        Expected("H019", "1:1", "`key: value`"),
    ),
    ("prose below the file", GOOD + "It counts all orders of a customer.\n", Expected("H019", "19:1", "`key: value`")),
    (
        "a merge conflict",
        changed(
            "  event: order-paid\n", "<<<<<<< HEAD\n  event: order-paid\n=======\n  event: order-done\n>>>>>>> main\n"
        ),
        Expected("H034", "3:1", "`<<<<<<<`"),
    ),
    (
        "a merge conflict with the common base",
        changed(
            "    segment.add: vip\n",
            "<<<<<<< a\n    segment.add: vip\n||||||| c\n    log: b\n=======\n    log: x\n>>>>>>> b\n",
        ),
        Expected("H034", "12:1", "`<<<<<<<`"),
    ),
    (
        "the rest of a merge conflict",
        changed("    segment.add: vip\n", "    segment.add: vip\n>>>>>>> main\n"),
        Expected("H034", "13:1", "`<<<<<<<`"),
    ),
    (
        "a version with a zero at its end",
        changed("profile.increment: {traits.orders: 1}", "profile.set: {traits.version: 1.10}"),
        Expected("H036", "6:35", "if it is a text such as a version, a"),
    ),
    (
        "a phone number without quotes",
        changed("profile.increment: {traits.orders: 1}", "profile.set: {traits.phone: +491701234567}"),
        Expected("H036", "6:33", "`491701234567`"),
    ),
    (
        "a code with an e",
        changed("profile.increment: {traits.orders: 1}", "profile.set: {traits.code: 1e3}"),
        Expected("H036", "6:32", "`1000.0`"),
    ),
    (
        "more digits than a number keeps",
        changed("profile.increment: {traits.orders: 1}", "profile.set: {traits.x: 0.12345678901234567890}"),
        Expected("H036", "6:29", "if it is a text such as a version, a"),
    ),
    (
        "a whole number of 20 digits",
        changed("profile.increment: {traits.orders: 1}", "profile.set: {traits.x: 12345678901234567890}"),
        Expected("H022", "6:29", "numbers are finite and within 64 bits;"),
    ),
    (
        "a phone number as a key",
        changed("profile.increment: {traits.orders: 1}", "respond: {phones: {+491701234567: home}}"),
        Expected("H021", "6:24", '`"+491701234567":`'),
    ),
    (
        "a number as the id of a node",
        changed("  note:\n", "  1:\n    stop:\n  note:\n"),
        Expected("H021", "17:3", "a node's id begins with a letter: write"),
    ),
    ("a tab", changed("    next: big\n", "\tnext: big\n"), Expected("H005", "7:1", "put spaces in place of the tab")),
    (
        "tabs throughout",
        GOOD.replace("    ", "\t\t").replace("\n  ", "\n\t"),
        Expected("H005", "3:1", "put spaces in place of the tab; the"),
    ),
    (
        "three spaces before an id",
        changed("  vip:\n", "   vip:\n"),
        Expected("H015", "11:4", "indent it by 2, as line 8"),
    ),
    ("one space before an id", changed("  vip:\n", " vip:\n"), Expected("H015", "11:2", "indent it by 2, as line 8")),
    (
        "three spaces before `next`",
        changed("    next: crm\n", "   next: crm\n"),
        Expected("H015", "13:4", "indent it by 4, as line 12"),
    ),
    (
        "five spaces before `next`",
        changed("    next: crm\n", "     next: crm\n"),
        Expected("H015", "13:6", "indent it by 4, as line 12; or leave"),
    ),
    (
        "an item of a list among entries",
        changed("    next: crm\n", "    - next: crm\n"),
        Expected("H015", "13:5", "`key:`"),
    ),
    ("a list on the line of its key", changed("next: crm\n", "next: - crm\n"), Expected("H015", "13:11", "`[crm]`")),
    ("a missing colon after `next`", changed("next: crm\n", "next crm\n"), Expected("H019", "13:5", "`next: crm`")),
    ("a missing colon after an id", changed("  vip:\n", "  vip\n"), Expected("H019", "11:3", "`vip:`")),
    ("a missing colon after `nodes`", changed("nodes:\n", "nodes\n"), Expected("H019", "4:1", "`nodes:`")),
    (
        "a missing colon after a type",
        changed('log: "', 'log "'),
        Expected("H103", "18:5", "`log: The order {{ event.id }} is paid`"),
    ),
    (
        "an equals sign in place of a colon",
        changed("next: crm\n", "next = crm\n"),
        Expected("H019", "13:5", "`next: crm`"),
    ),
    ("an arrow in place of a colon", changed("next: crm\n", "next => crm\n"), Expected("H019", "13:5", "`next: crm`")),
    (
        "a comment of another language",
        changed("  vip:\n", "  // the good ones\n  vip:\n"),
        Expected("H019", "11:3", "`key: value`"),
    ),
    ("a block of Jinja", changed("  vip:\n", "  {% if x %}\n  vip:\n"), Expected("H007", "11:3", "`{{ … }}`")),
    (
        "a template without quotes",
        changed('"The order {{ event.id }} is paid"', "{{ event.id }}"),
        Expected("H003", "18:10", '`log: "{{ event.id }}"`'),
    ),
    (
        "a template without quotes in a list",
        changed("segment.add: vip", "profile.add: {traits.a: [{{ event.id }}]}"),
        Expected("H003", "12:30", '`profile.add: {traits.a: ["{{ event.id }}"]}`'),
    ),
    (
        "a template as a key",
        changed('log: "The order {{ event.id }} is paid"', "profile.set:\n      {{ event.id }}: 1"),
        Expected("H038", "19:7", "`switch`"),
    ),
    (
        "a template as a key inside braces",
        changed('log: "The order {{ event.id }} is paid"', "profile.set: {{{ event.id }}: 1}"),
        Expected("H038", "18:18", "`switch`"),
    ),
    (
        "a template without quotes in a condition",
        changed("if: profile.traits.orders > 2", "if: {{ profile.traits.orders > 2 }}"),
        Expected("H201", "9:9", "without {{ }}"),
    ),
    (
        "a template without quotes as an edge",
        changed("next: crm", "next: {{ event.type }}"),
        Expected("H117", "13:11", "`switch`"),
    ),
    (
        "a key twice",
        changed("    segment.add: vip\n", "    segment.add: vip\n    segment.add: vip\n"),
        Expected("H002", "13:5", "keep one of them"),
    ),
    ("front matter", "---\ntitle: x\n---\n" + GOOD, Expected("H027", "3:1", "a file holds one document: split it")),
    (
        "bodies of all nodes at the level of their ids",
        HEAD + "nodes:\n  a:\n  log: x\n  next: b\n  b:\n  log: y\n  next: c\n  c:\n  log: z\n",
        Expected("H037", "5:3", "put two spaces before each of them"),
    ),
    (
        "a flow as the item of a list",
        "- " + GOOD.replace("\n", "\n  "),
        Expected("H030", "1:1", "delete the dash, and put the lines"),
    ),
    ("no YAML but a word", "hello\n", Expected("H030", "1:1", "`flow: the-name`")),
    ("nothing but a comment", "# nothing yet\n", Expected("H030", "1:1", "`flow: the-name`")),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_one_problem_at_its_place_with_its_remedy(tmp_path: Path, text: str, expected: Expected) -> None:
    diagnostics = diagnostics_of(tmp_path, text)
    assert found(diagnostics) == [(expected.code, expected.place)]
    assert expected.help in diagnostics[0].help


def test_the_good_flow_has_no_problem(tmp_path: Path) -> None:
    assert diagnostics_of(tmp_path, GOOD) == ()


MEANT = [
    ("a no-break space among words", changed("The order", "Merci\u00a0! The order")),
    ("a joiner between letters of another script", changed("The order", "می\u200cخواهم")),
    ("an emoji of several parts", changed("The order", "\U0001f468\u200d\U0001f469 The order")),
    ("typographic quotes within a text", changed("The order", "The “big” order")),
    ("an apostrophe and a dash in prose", changed('"The order {{ event.id }} is paid"', "It’s paid – really")),
    ("an escaped character", changed("The order", "The\\u200b order")),
    (
        "Markdown inside a text",
        changed('"The order {{ event.id }} is paid"', "|\n      ```\n      - [ ] a\n      <<<<<<< x\n"),
    ),
    ("a postcode with its zero", changed("profile.increment: {traits.orders: 1}", "profile.set: {traits.zip: 01067}")),
    (
        "a time, a date and a version",
        changed("profile.increment: {traits.orders: 1}", "let: {a: 12:30, b: 2026-05-01, c: 1.2.3}"),
    ),
    ("a price among amounts", changed("traits.orders: 1}", "traits.orders: 1.50}")),
    ("Windows line ends", GOOD.replace("\n", "\r\n")),
    ("JSON", '{"flow": "a", "trigger": {"event": "x"}, "nodes": {"a": {"log": "x"}}}'),
]


@pytest.mark.parametrize("text", [row[1] for row in MEANT], ids=[row[0] for row in MEANT])
def test_what_is_meant_is_no_mistake(tmp_path: Path, text: str) -> None:
    assert diagnostics_of(tmp_path, text) == ()


def test_errors_of_one_file_come_in_one_round(tmp_path: Path) -> None:
    text = GOOD.replace("order-paid", "*-paid").replace("if: profile", "if: 'vip' in x or profile")
    text = text.replace("next: crm", "next crm").replace("orders: 1}", "orders: {{ event.properties.x }}}")
    assert found(diagnostics_of(tmp_path, text)) == [
        ("H006", "3:10"),
        ("H003", "6:40"),
        ("H004", "9:14"),
        ("H019", "13:5"),
    ]


def test_an_error_of_the_text_does_not_hide_those_of_the_flow(tmp_path: Path) -> None:
    text = GOOD.replace("order-paid", "*-paid").replace("segment.add", "segment.ad").replace("path: /vip", "pth: /vip")
    assert found(diagnostics_of(tmp_path, text)) == [("H006", "3:10"), ("H111", "12:5"), ("H113", "15:32")]


def test_a_node_with_an_unknown_type_does_not_hide_the_errors_of_others(tmp_path: Path) -> None:
    text = GOOD.replace("segment.add: vip\n    next: crm", "segment.ad: vip\n    next: crn")
    text = text.replace("found: note", "fuond: note")
    assert found(diagnostics_of(tmp_path, text)) == [("H111", "12:5"), ("H117", "13:11"), ("H116", "16:12")]
