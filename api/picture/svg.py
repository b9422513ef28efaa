"""Drawing a picture as SVG. All text is escaped by `Markup.format`.

In a page the stylesheet of the console colours the classes; a file of its own has the colours with it (`standalone`).
"""

from collections.abc import Callable, Mapping
from typing import Final

from markupsafe import Markup

from api.picture.layout import END, Picture, PicturedEdge, PicturedNode, Point
from api.picture.taken import Taken

MARGIN: Final = 16.0
_RADIUS = 9.0
_HEAD = {"ran": "wet", "bad": "broke", "mind": "mind"}
_STYLE: Final = """
svg { background: #fbfdfc; font-family: system-ui, sans-serif }
.g-e { fill: none; stroke: #7d9295; stroke-width: 1.25; stroke-dasharray: 3 4 } .g-h { fill: #7d9295 }
.g-e.plain { stroke-dasharray: none } .g-e.wet { stroke: #2b93b3; stroke-width: 4; stroke-dasharray: none }
.g-e.mind { stroke: #b98212; stroke-width: 4; stroke-dasharray: none } .g-e.broke { stroke: #c8412f; stroke-width: 4;
stroke-dasharray: none } .g-h.wet { fill: #2b93b3 } .g-h.mind { fill: #b98212 } .g-h.broke { fill: #c8412f }
.g-e.shine { stroke: #fff; stroke-opacity: .55; stroke-width: 1; stroke-dasharray: none } .g-b { fill: #fbfdfc }
.g-n rect { fill: #fbfdfc; stroke: #aec0be; stroke-width: 1.25 } .g-n.ran rect { fill: #dceef2; stroke: #2b93b3 }
.g-n.bad rect { fill: #fbe9e5; stroke: #c8412f; stroke-width: 2 } .g-n.mind rect { fill: #f8efd9; stroke: #b98212 }
.g-n.dry rect { fill: none; stroke: #7d9295; stroke-dasharray: 4 4 } .g-n text { font-size: 13.5px; font-weight: 580;
fill: #10272c } .g-n .ty, .g-p { font-family: ui-monospace, monospace; font-size: 11px; font-weight: 400;
fill: #51696d }
.g-n .nb { fill: #07657f } .g-n.bad .nb { fill: #a3271b } .g-n.mind .nb { fill: #775000 } .g-n .no { font-size: 11px;
fill: #fff } .g-end { fill: #c8412f } .g-endx { stroke: #fff; stroke-width: 2 } a { text-decoration: none }
"""

LinkOf = Callable[[PicturedNode], str]


def svg(
    drawn: Picture,
    path: Taken | None = None,
    *,
    link: LinkOf | None = None,
    widths: Mapping[tuple[str, str], tuple[float, str]] | None = None,
    selected: str = "",
    standalone: bool = False,
) -> Markup:
    """Draw a picture, with the path of a run if there is one.

    `link` returns the address of a node, "" for none. `widths` are px and a text for each edge, in place of a path.
    """
    edges = sorted(drawn.edges, key=lambda edge: path is not None and (edge.source, edge.target) in path.edges)
    parts = [_line(edge, path, widths) for edge in edges]
    parts += [_label(edge, path, widths) for edge in edges]
    parts += [_end(node) if node.id == END else _node(node, path, link, selected) for node in drawn.nodes]
    left, top = drawn.left - MARGIN, drawn.top - MARGIN
    width, height = drawn.width + 2 * MARGIN, drawn.height + 2 * MARGIN
    space = Markup(' xmlns="http://www.w3.org/2000/svg"') if standalone else ""
    style = Markup("<style>{}</style>").format(Markup(_STYLE)) if standalone else ""  # noqa: S704  # our own text
    role = Markup(' role="{}"').format("group" if link is not None else "img")
    head = Markup('<svg{}{} viewBox="{} {} {} {}" width="{}" height="{}" aria-label="{}">{}').format(
        space, role, *map(_px, (left, top, width, height, width, height)), described(drawn, path), style
    )
    return head + Markup().join(parts) + Markup("</svg>")


def described(drawn: Picture, path: Taken | None) -> str:
    """Return a picture in words, for those who do not see it."""
    if path is None:
        return f"{drawn.flow}: {', '.join(node.id for node in drawn.nodes)}"
    ran = sorted((number, id) for id, (number, _) in path.nodes.items())
    words = [f"{id}, which failed" if path.nodes[id][1] == "bad" else id for _, id in ran]
    return f"{drawn.flow}, the path taken: {', '.join(words) or 'no node'}"


def _px(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _state(edge: PicturedEdge, path: Taken | None) -> str:
    if path is None:
        return "plain"
    if edge.target == END:
        return "broke"
    state = path.edges.get((edge.source, edge.target))
    return _HEAD[state] if state is not None else ""


def _line(edge: PicturedEdge, path: Taken | None, widths: Mapping[tuple[str, str], tuple[float, str]] | None) -> Markup:
    state, line, head = _state(edge, path), _rounded(edge.points), _arrow(edge.points)
    if widths is not None:
        width, _ = widths.get((edge.source, edge.target), (0.0, ""))
        if width:
            return Markup('<path class="g-e flow" stroke-width="{}" d="{}"/><path class="g-h wet" d="{}"/>').format(
                _px(width), line, head
            )
        state = ""
    shine = Markup('<path class="g-e shine" d="{}"/>').format(line) if state == "wet" else ""
    return Markup('<path class="g-e {}" stroke-width="1.25" d="{}"/>{}<path class="g-h {}" d="{}"/>').format(
        state, line, shine, state, head
    )


def _label(
    edge: PicturedEdge, path: Taken | None, widths: Mapping[tuple[str, str], tuple[float, str]] | None
) -> Markup:
    state = "" if path is None else _state(edge, path)
    if widths is not None and (edge.source, edge.target) in widths:
        state = "mind" if "failed" in edge.ports and len(edge.ports) == 1 else "wet"
    count = widths.get((edge.source, edge.target), (0.0, ""))[1] if widths is not None else ""
    text = count or edge.text
    if not text:
        return Markup()
    x, y = edge.label or _middle(edge.points)
    width = len(text) * 7.0 + 4
    return Markup(
        '<rect class="g-b" x="{}" y="{}" width="{}" height="16" rx="3"/>'
        '<text class="g-p {}" x="{}" y="{}" text-anchor="middle">{}</text>'
    ).format(_px(x - width / 2), _px(y - 8), _px(width), state, _px(x), _px(y + 4), text)


def _node(node: PicturedNode, path: Taken | None, link: LinkOf | None, selected: str) -> Markup:
    number, state = (path.nodes.get(node.id, (0, "dry"))) if path is not None else (0, "")
    left, top = node.x - node.width / 2, node.y - node.height / 2
    badge = Markup()
    if number and "." not in node.id:
        badge = Markup(
            '<circle class="nb" cx="{}" cy="{}" r="9.5"/><text class="no" x="{}" y="{}" text-anchor="middle">{}</text>'
        ).format(_px(left), _px(top + 2), _px(left), _px(top + 6), number)
    body = Markup(
        '<rect x="{}" y="{}" width="{}" height="{}" rx="7"/><text x="{}" y="{}" text-anchor="middle">{}</text> '
        '<text class="ty" x="{}" y="{}" text-anchor="middle">{}</text>{}'
    ).format(
        *map(_px, (left, top, node.width, node.height, node.x, top + 20)),
        node.id.rpartition(".")[2],
        _px(node.x),
        _px(top + 36),
        node.type,
        badge,
    )
    classes = f"g-n {state}{' sel' if node.id == selected else ''}"
    address = link(node) if link is not None else ""
    if address:
        current = Markup(' aria-current="true"') if node.id == selected else ""
        return Markup('<a class="{}" href="{}"{}>{}</a>').format(classes, address, current, body)
    return Markup('<g class="{}">{}</g>').format(classes, body)


def _end(node: PicturedNode) -> Markup:
    x, y = node.x, node.y
    cross = f"M{_px(x - 4)} {_px(y - 4)}L{_px(x + 4)} {_px(y + 4)}M{_px(x + 4)} {_px(y - 4)}L{_px(x - 4)} {_px(y + 4)}"
    return Markup(
        '<circle class="g-end" cx="{}" cy="{}" r="13"><title>{}</title></circle><path class="g-endx" d="{}"/>'
    ).format(_px(x), _px(y), "The port leads nowhere: the run failed here", cross)


def _rounded(points: tuple[Point, ...]) -> str:
    """Return the path of a line with rounded corners; it ends before the head of its arrow."""
    *others, before, last = points
    points = (*others, before, _toward(last, before, 6.0))
    path = f"M{_px(points[0][0])} {_px(points[0][1])}"
    for previous, corner, following in zip(points, points[1:], points[2:], strict=False):
        radius = min(_RADIUS, _distance(previous, corner) / 2, _distance(corner, following) / 2)
        start, end = _toward(corner, previous, radius), _toward(corner, following, radius)
        path += f"L{_px(start[0])} {_px(start[1])}Q{_px(corner[0])} {_px(corner[1])} {_px(end[0])} {_px(end[1])}"
    return f"{path}L{_px(points[-1][0])} {_px(points[-1][1])}"


def _arrow(points: tuple[Point, ...]) -> str:
    tip, base = points[-1], _toward(points[-1], points[-2], 8.0)
    dx, dy = (base[0] - tip[0]) / 8.0, (base[1] - tip[1]) / 8.0
    sides = ((base[0] - dy * 5, base[1] + dx * 5), (base[0] + dy * 5, base[1] - dx * 5))
    return f"M{_px(tip[0])} {_px(tip[1])}" + "".join(f"L{_px(x)} {_px(y)}" for x, y in sides) + "Z"


def _middle(points: tuple[Point, ...]) -> Point:
    one, other = points[(len(points) - 1) // 2], points[(len(points) - 1) // 2 + 1]
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def _distance(one: Point, other: Point) -> float:
    return float(((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2) ** 0.5)


def _toward(start: Point, end: Point, by: float) -> Point:
    length = _distance(start, end)
    share = min(1.0, by / length) if length else 0.0
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
