"""Pictures of the results, as small SVG files that can be read on light and on dark pages."""

from __future__ import annotations

import json

from benchmarks import aims

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas
    from matplotlib.ticker import FuncFormatter, NullFormatter
except ImportError:
    mpl = None

# About as far from white as from black.
_INK = "#767c84"
_COLOURS = {
    aims.MEMKIT: "#2f81f7",
    aims.REDIS: "#8a8f98",
    aims.GLIDE: "#d0851f",
    aims.OPENAI: "#9a6ee8",
    aims.LANGCHAIN: "#2ea068",
    aims.LLAMA: "#d9579c",
    aims.AGENTS: "#c2562e",
}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "memkit",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "legend.labelcolor": _INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 4,
}

# (title, results, [(label, work, who)]): the bars of the front page.
_BARS = (
    (
        "plain code, against redis.Redis",
        "sync",
        [
            ("put 2 KB", "put 2 KB", aims.STORE),
            ("get 2 KB", "get 2 KB", aims.RETRIEVE),
            ("append", "append", aims.STORE),
            ("last 20", "last 20", aims.RETRIEVE),
        ],
    ),
    (
        "one task, against redis.asyncio",
        "task",
        [(work, f"{work}, 1 task", aims.MEMKIT) for work in ("put 2 KB", "get 2 KB", "append", "last 20")],
    ),
    (
        "64 tasks, against redis.asyncio",
        "tasks",
        [(work, f"{work}, 64 tasks", aims.MEMKIT) for work in ("get 2 KB", "append", "append and last 20")],
    ),
)


class Results:
    """What was written, by part.

    Args:
        directory: where it is.
    """

    def __init__(self, directory):
        self._directory = directory

    def part(self, name):
        """The results of a part, None if there are none."""
        path = self._directory / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def rows(self, name):
        """Its rows by (work, who)."""
        found = self.part(name) or {"rows": []}
        return {(row["work"], row["name"]): row for row in found["rows"]}


# What is drawn


def bars(results):
    """Return [(title, [(label, times as fast)])] for the front page."""
    groups = []
    for title, part, wanted in _BARS:
        rows = results.rows(part)
        found = [(label, rows[work, who]["ratio"]) for label, work, who in wanted if (work, who) in rows]
        if found:
            groups.append((title, found))
    return groups


def lengths(results):
    """Return {label: ([messages], [microseconds])}: memkit's calls, and reads of those that read everything."""
    works = {"store one": "memkit, append", "retrieve the last 20": "memkit, last 20"}
    own = [(works[work], name.split()[0], row) for (work, name), row in results.rows("flat").items() if work in works]
    others = [
        (f"{name}, last 20", work.split()[-1], row)
        for (work, name), row in results.rows("readers").items()
        if work.startswith("last 20") and not name.startswith(aims.MEMKIT)
    ]
    return _lines((label, _number(count), row["microseconds"]) for label, count, row in own + others)


def crowds(results, work):
    """Return {name: ([tasks], [calls a second])} of a work."""
    names = (aims.MEMKIT, aims.GLIDE, aims.REDIS, aims.OPENAI)
    return _lines(
        (name, _number(label.removeprefix(f"{work}, ").split()[0]), 1e6 / row["microseconds"])
        for (label, name), row in results.rows("tasks").items()
        if name in names and label.startswith(f"{work}, ")
    )


def _number(text):
    return int(text.replace(",", ""))


def _lines(points):
    lines = {}
    for label, x, y in points:
        xs, ys = lines.setdefault(label, ([], []))
        xs.append(x)
        ys.append(y)
    return lines


# How it is drawn


def draw_faster(results, path):
    """Bars: times as fast as redis-py."""
    groups = bars(results)
    if not groups:
        return False
    count = sum(1 + len(found) for _, found in groups)
    canvas = Canvas(figsize=(7.2, 0.27 * count + 0.3))
    axes = canvas.add_subplot()
    ticks, place = {}, 0
    for title, found in groups:
        axes.text(0, place, title, va="center", weight="bold")
        places = range(place + 1, place + 1 + len(found))
        drawn = axes.barh(places, [value for _, value in found], color=_COLOURS[aims.MEMKIT], height=0.7)
        axes.bar_label(drawn, [f"{value:.1f} times" for _, value in found], padding=4, color=_INK)
        axes.plot([1, 1], [places[0] - 0.45, places[-1] + 0.45], color=_INK, linewidth=1.2, linestyle=":")
        ticks |= {number: label for number, (label, _) in zip(places, found, strict=True)}
        place = places[-1] + 1
    axes.text(0, place, "dotted: redis-py by hand", va="center", size="small")
    axes.set_yticks(list(ticks), ticks.values())
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xticks([])
    axes.set_xlim(left=0)
    axes.set_ylim(place + 0.6, -0.6)
    return _save(canvas, path)


def draw_flat(results, path):
    """Lines: what a call takes by the length of the conversation."""
    lines = lengths(results)
    if not lines:
        return False
    canvas = Canvas(figsize=(5.6, 3.4))
    axes = canvas.add_subplot()
    for label, (xs, ys) in lines.items():
        style = "--" if label.endswith("append") else "-"
        axes.loglog(xs, ys, style, marker="o", label=label, color=_COLOURS.get(label.partition(",")[0], _INK))
    _name(axes, "messages in the conversation", "microseconds a call", {x for xs, _ in lines.values() for x in xs})
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return _save(canvas, path)


def draw_tasks(results, path):
    """Lines: how much goes through by the number of tasks."""
    works = {work: crowds(results, work) for work in ("get 2 KB", "append", "append and last 20")}
    if not any(works.values()):
        return False
    canvas = Canvas(figsize=(8.4, 2.8), layout="constrained")
    panels = canvas.subplots(1, len(works), sharey=True)
    for axes, (work, lines) in zip(panels, works.items(), strict=True):
        for name, (xs, ys) in lines.items():
            axes.loglog(xs, ys, marker="o", label=name, color=_COLOURS[name])
        axes.set_title(work)
        _name(axes, "tasks", "a second" if axes is panels[0] else "", {x for xs, _ in lines.values() for x in xs})
    handles = panels[-1].get_legend_handles_labels()
    canvas.legend(*handles, loc="outside lower center", ncols=len(handles[1]))
    return _save(canvas, path)


def draw_soak(results, path):
    """Lines: memory and waits over time."""
    found = results.part("soak")
    if not found:
        return False
    canvas = Canvas(figsize=(7.2, 4.2), layout="constrained")
    minutes = [sample["seconds"] / 60 for sample in found["samples"]]
    for axes, (unit, scale, names) in zip(canvas.subplots(len(_SOAKED), 1), _SOAKED, strict=True):
        for (name, label), colour in zip(names.items(), _COLOURS.values(), strict=False):
            axes.plot(minutes, [sample[name] / scale for sample in found["samples"]], label=label, color=colour)
        axes.set_ylim(bottom=0)
        axes.set_ylabel(unit)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
    axes.set_xlabel("minutes")
    return _save(canvas, path)


_SOAKED = (
    ("MB", 1e6, {"resident": "memory of the client", "used": "memory of the server"}),
    ("ms", 1, {"p50": "p50", "p99": "p99"}),
)


def _name(axes, x, y, marks):
    plain = FuncFormatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(plain)
        axis.set_minor_formatter(NullFormatter())
    axes.set_xticks(sorted(marks))
    axes.minorticks_off()
    axes.grid(color=_INK, alpha=0.2, linewidth=0.6)


def _save(canvas, path):
    hidden = {"Date": None, "Creator": None} if path.suffix == ".svg" else {}
    canvas.savefig(path, transparent=True, bbox_inches="tight", metadata=hidden)
    return True


PLOTS = {"faster": draw_faster, "flat": draw_flat, "tasks": draw_tasks, "soak": draw_soak}


def draw_all(directory, *, ending="svg"):
    """Draw everything that there are results for, and say in one line what was drawn."""
    if mpl is None:
        return "no plots: matplotlib is not installed"
    results = Results(directory)
    with mpl.rc_context(_STYLE):
        paths = {name: directory / f"{name}.{ending}" for name in PLOTS}
        drawn = [path.name for name, path in paths.items() if PLOTS[name](results, path)]
    return f"drawn: {', '.join(drawn) or 'nothing'}"
