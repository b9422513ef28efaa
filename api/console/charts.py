"""Charts as SVG: bars above and below a line, a line, a spark. Texts stand beside them in HTML, so charts stretch."""

from collections.abc import Sequence

from markupsafe import Markup

WIDTH = 1400.0


def mirrored_bars(
    up: Sequence[float], down: Sequence[float], label: str, height: float = 96.0, below_kind: str = "c-fail"
) -> Markup:
    """Return bars for `up` above the line and for `down` below it, on one scale; `label` is the chart in a sentence."""
    most = max((*up, *down, 1))
    below = max((*down, 0)) / most
    axis = height * (1 - below / (1 + below)) if below else height - 1
    scale = (axis - 2) / most if most else 0.0
    step = WIDTH / max(1, len(up))
    bars = [_bar("c-water", i * step, axis - v * scale, step, v * scale) for i, v in enumerate(up) if v]
    bars += [_bar(below_kind, i * step, axis + 1, step, max(1.0, v * scale)) for i, v in enumerate(down) if v]
    line = Markup('<path class="c-axis" d="M0 {}H{}"/>').format(f"{axis:.1f}", f"{WIDTH:.0f}")
    return _chart(Markup().join(bars) + line, label, WIDTH, height)


def line_chart(values: Sequence[float], label: str, height: float = 96.0) -> Markup:
    """Return a line of values with the area below it."""
    points = _points(values, WIDTH, height - 4)
    path = "M" + "L".join(points)
    area = Markup('<path class="c-soft" d="{}L{} {}L0 {}Z"/>').format(path, f"{WIDTH:.0f}", height, height)
    line = Markup('<path class="c-line" d="{}"/>').format(path)
    return _chart(area + line, label, WIDTH, height)


def spark(values: Sequence[float], label: str, kind: str = "c-fail") -> Markup:
    """Return small bars of one kind."""
    most = max((*values, 1))
    step = 140.0 / max(1, len(values))
    bars = [_bar(kind, i * step, 28 - 26 * v / most, step, max(1.5, 26 * v / most)) for i, v in enumerate(values) if v]
    return _chart(Markup().join(bars), label, 140.0, 28.0)


def _points(values: Sequence[float], width: float, height: float) -> list[str]:
    most = max((*values, 1))
    step = width / max(1, len(values) - 1)
    return [f"{i * step:.1f} {height + 2 - height * v / most:.1f}" for i, v in enumerate(values or [0])]


def _bar(kind: str, x: float, y: float, step: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="1.5"/>').format(
        kind, f"{x + step * 0.06:.1f}", f"{y:.1f}", f"{step * 0.88:.1f}", f"{height:.1f}"
    )


def _chart(content: Markup, label: str, width: float, height: float) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>').format(
        f"{width:.0f}", f"{height:.0f}", label, content
    )
