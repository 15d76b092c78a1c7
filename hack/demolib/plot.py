"""The demo's picture: demand over the capacity of both twins, as SVG."""
from __future__ import annotations

from .twins import CORES_PER_POD, HPA, OURS

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 56, 48
STYLE = {HPA: ("#b45309", "built-in HPA"), OURS: ("#1d4ed8", "AI4K8s")}


def nice_step(span, parts):
    for step in (1, 2, 5, 10, 15, 20, 30, 60, 120, 300):
        if span / step <= parts:
            return step
    return span / parts


def draw(ticks, speed, title):
    ticks = [t for t in ticks if t.at >= 0]
    if len(ticks) < 2:
        return ""
    end = ticks[-1].at
    top = max(max(t.demand for t in ticks), *(max(t.ready.get(n, 0) for t in ticks) * CORES_PER_POD for n in STYLE)) * 1.08

    def x(at):
        return LEFT + at / end * (WIDTH - LEFT - RIGHT)

    def y(value):
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
           f'<text x="{LEFT}" y="22" font-size="15" fill="#111827">{title}</text>']
    minutes, step = end * speed / 60, nice_step(end * speed / 60, 8)
    mark = 0
    while mark <= minutes + 1e-9:
        at = mark * 60 / speed
        out.append(f'<line x1="{x(at):.1f}" y1="{TOP}" x2="{x(at):.1f}" y2="{HEIGHT - BOTTOM}" stroke="#e5e7eb"/>'
                   f'<text x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#4b5563">{mark:g}</text>')
        mark += step
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle" fill="#4b5563">minutes of the trace</text>')
    value, value_step = 0, nice_step(top, 6)
    while value <= top:
        out.append(f'<line x1="{LEFT}" y1="{y(value):.1f}" x2="{WIDTH - RIGHT}" y2="{y(value):.1f}" stroke="#e5e7eb"/>'
                   f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end" fill="#4b5563">{value:g}</text>')
        value += value_step
    out.append(f'<text x="{LEFT - 8}" y="{TOP - 8}" text-anchor="end" fill="#4b5563">cores</text>')
    area = " ".join(f"{x(t.at):.1f},{y(t.demand):.1f}" for t in ticks)
    out.append(f'<polygon points="{x(ticks[0].at):.1f},{y(0):.1f} {area} {x(end):.1f},{y(0):.1f}" fill="#d1d5db" opacity="0.6"/>'
               f'<polyline points="{area}" fill="none" stroke="#374151" stroke-width="1.6"/>')
    legend = [("#374151", "demand")]
    for name, (colour, label) in STYLE.items():
        points, last = [], None
        for t in ticks:  # capacity moves in steps
            now = t.ready.get(name, 0) * CORES_PER_POD
            if last is not None and now != last:
                points.append(f"{x(t.at):.1f},{y(last):.1f}")
            points.append(f"{x(t.at):.1f},{y(now):.1f}")
            last = now
        out.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2.2"/>')
        legend.append((colour, f"capacity, {label}"))
    at = LEFT
    for colour, label in legend:
        out.append(f'<line x1="{at}" y1="40" x2="{at + 22}" y2="40" stroke="{colour}" stroke-width="3"/>'
                   f'<text x="{at + 28}" y="44" fill="#111827">{label}</text>')
        at += 46 + 7 * len(label)
    out.append("</svg>")
    return "\n".join(out) + "\n"
