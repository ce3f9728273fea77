"""A curve as inline SVG: no library, no script; its colours are CSS variables of the page, so that it follows the light or dark scheme."""

import math
from collections.abc import Callable, Sequence
from html import escape

from app.evaluation.cells import interval, percent
from app.evaluation.tuning_curve import Curve, CurvePoint

_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 24, 22, 58
# Percentage points that the axis of accuracies shows at least: the same accuracy everywhere must not look like a finding.
_LEAST_SPAN = 20
# Points of the curve that show their numbers under a pointer.
_SHOWN = 21
_MIDDLE = 0.5

Scale = Callable[[float], float]


def curve_svg(curve: Curve) -> str:
    """The curve, its band, the line of random routing, and the chosen point with its intervals."""
    low, high, step = _axis(curve)

    def x(rate: float) -> float:
        return round(_LEFT + rate * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(accuracy: float) -> float:
        return round(_TOP + (high - 100 * accuracy) / (high - low) * (_HEIGHT - _TOP - _BOTTOM), 1)

    said = f"Accuracy of {curve.what} against the share of questions sent to the cloud, n = {curve.n}"
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(said)}">',
        *_grid(x, y, low, high, step),
        f'<text class="axis" x="{(x(0) + x(1)) / 2}" y="{_HEIGHT - 12}" text-anchor="middle">questions sent to the cloud, lowest signal first (%)</text>',
        f'<text class="axis" transform="translate(16 {(_TOP + _HEIGHT - _BOTTOM) / 2}) rotate(-90)" text-anchor="middle">accuracy (%)</text>',
        _band(curve.points, x, y),
    ]
    if curve.random is not None:
        edge, cloud = curve.random
        parts.append(f'<line class="random" x1="{x(0)}" y1="{y(edge)}" x2="{x(1)}" y2="{y(cloud)}"/>')
    parts.append(f'<polyline class="curve" points="{_path(curve.points, x, y)}"/>')
    parts += [_hover(point, x, y) for point in _some(curve.points)]
    if curve.chosen is not None:
        parts += _chosen(curve.chosen, curve.chosen_rate_ci, x, y)
    return "\n".join(part for part in [*parts, "</svg>"] if part)


def _axis(curve: Curve) -> tuple[float, float, int]:
    """The lowest and the highest accuracy of the axis, and the distance of its lines, in percent."""
    # The ends of the curve may rest on a handful of answers; their intervals may leave the picture, the curve may not.
    shown = [100 * point.accuracy for point in curve.points] + [100 * end for end in curve.random or ()]
    if curve.chosen is not None:
        shown += [100 * end for end in curve.chosen.ci or (curve.chosen.accuracy,)]
    low, high = min(shown) - 2, max(shown) + 2
    if high - low < _LEAST_SPAN:
        middle = (low + high) / 2
        low, high = middle - _LEAST_SPAN / 2, middle + _LEAST_SPAN / 2
    step = next((step for step in (5, 10, 20) if (high - low) / step <= 8), 20)  # noqa: PLR2004  # lines that are not too many
    return max(0.0, math.floor(low / step) * step), min(100.0, math.ceil(high / step) * step), step


def _grid(x: Scale, y: Scale, low: float, high: float, step: int) -> list[str]:
    parts = []
    for tick in range(round(low), round(high) + 1, step):
        at = y(tick / 100)
        parts.append(f'<line class="grid" x1="{x(0)}" y1="{at}" x2="{x(1)}" y2="{at}"/>')
        parts.append(f'<text class="tick" x="{x(0) - 8}" y="{at + 4.5}" text-anchor="end">{tick}</text>')
    bottom = y(low / 100)
    parts += [f'<text class="tick" x="{x(tick / 100)}" y="{bottom + 20}" text-anchor="middle">{tick}</text>' for tick in range(0, 101, 20)]
    return parts


def _band(points: Sequence[CurvePoint], x: Scale, y: Scale) -> str:
    """The intervals of the curve, clipped to the picture by the axis; nothing where fewer than two points have one."""
    known = [point for point in points if point.ci is not None]
    if len(known) < 2:  # noqa: PLR2004  # one interval is no band
        return ""
    upper = [f"{x(point.cloud_rate)},{max(_TOP, y(point.ci[1]))}" for point in known if point.ci]
    lower = [f"{x(point.cloud_rate)},{min(_HEIGHT - _BOTTOM, y(point.ci[0]))}" for point in reversed(known) if point.ci]
    return f'<polygon class="band" points="{" ".join([*upper, *lower])}"/>'


def _path(points: Sequence[CurvePoint], x: Scale, y: Scale) -> str:
    return " ".join(f"{x(point.cloud_rate)},{y(point.accuracy)}" for point in points)


def _some(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    every = max(1, (len(points) - 1) // (_SHOWN - 1))
    return list(points[::every])


def _hover(point: CurvePoint, x: Scale, y: Scale) -> str:
    return f'<circle class="hover" cx="{x(point.cloud_rate)}" cy="{y(point.accuracy)}" r="7"><title>{_said(point)}</title></circle>'


def _said(point: CurvePoint) -> str:
    return f"{percent(point.cloud_rate)} % to the cloud: accuracy {percent(point.accuracy)} %" + (
        f" {interval(point.ci)}" if point.ci else ""
    )


def _chosen(point: CurvePoint, rate_ci: tuple[float, float] | None, x: Scale, y: Scale) -> list[str]:
    at, height = x(point.cloud_rate), y(point.accuracy)
    bars = []
    if point.ci is not None:
        bars.append(f'<line class="bar" x1="{at}" y1="{y(point.ci[0])}" x2="{at}" y2="{y(point.ci[1])}"/>')
    if rate_ci is not None:
        bars.append(f'<line class="bar" x1="{x(rate_ci[0])}" y1="{height}" x2="{x(rate_ci[1])}" y2="{height}"/>')
    # Below the point, where a rising curve leaves room, on the side with more of it, and never outside the picture.
    side, anchor = (12, "start") if point.cloud_rate < _MIDDLE else (-12, "end")
    label_y = min(height + 26, _HEIGHT - _BOTTOM - 8)
    return [
        *bars,
        f'<circle class="chosen" cx="{at}" cy="{height}" r="7"><title>chosen: {_said(point)}</title></circle>',
        f'<text class="label" x="{at + side}" y="{label_y}" text-anchor="{anchor}">chosen: {percent(point.accuracy)} % at {percent(point.cloud_rate)} %</text>',
    ]
