"""Latencies as curves: which part of the answers had come after how long."""

from collections.abc import Iterator, Mapping
from math import ceil, floor, log10

from spliceproxy.compare.latencies import Latencies
from spliceproxy.compare.verdict import show_seconds

_WIDTH, _HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 10, 28


def draw_curves(latencies: Mapping[str, Latencies]) -> str:
    """Return an SVG; the names are those of captures, and classes in the style sheet."""
    known = {name: each for name, each in latencies.items() if each.count}
    if not known:
        return ""
    uppers = [upper_s for each in known.values() for upper_s, _ in each.classes()]
    scale = _LogScale(min(uppers) / 1.09, max(uppers))
    parts = [*_grid(scale), *(_curve(name, each, scale) for name, each in known.items())]
    label = "Part of the answers that had begun, by seconds after the request"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


class _LogScale:
    """Of seconds; from a power of ten to another one."""

    def __init__(self, least_s: float, most_s: float) -> None:
        self.first = floor(log10(least_s))
        self.last = max(ceil(log10(most_s)), self.first + 1)

    def x(self, seconds: float) -> float:
        fraction = (log10(seconds) - self.first) / (self.last - self.first)
        return _LEFT + min(max(fraction, 0), 1) * (_WIDTH - _LEFT - _RIGHT)


def _y(fraction: float) -> float:
    return _HEIGHT - _BOTTOM - fraction * (_HEIGHT - _TOP - _BOTTOM)


def _grid(scale: _LogScale) -> Iterator[str]:
    for fraction in (0, 0.5, 0.9, 1):
        y = _y(fraction)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{fraction:.0%}</text>'
    for power in range(scale.first, scale.last + 1):
        x = scale.x(10.0**power)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_y(0):.1f}"/>'
        text = show_seconds(10.0**power)
        anchor = "end" if power == scale.last else "middle"
        yield f'<text x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{text}</text>'


def _curve(name: str, latencies: Latencies, scale: _LogScale) -> str:
    seen, points = 0, [f"{_LEFT},{_y(0):.1f}"]
    for upper_s, count in latencies.classes():
        x = scale.x(upper_s)
        points.append(f"{x:.1f},{_y(seen / latencies.count):.1f}")
        seen += count
        points.append(f"{x:.1f},{_y(seen / latencies.count):.1f}")
    points.append(f"{_WIDTH - _RIGHT},{_y(1):.1f}")
    return f'<polyline class="{name}" points="{" ".join(points)}"/>'
