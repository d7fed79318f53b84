"""The report: medians, quartiles and ratios, as a table, as JSON and as a picture."""

import json
import os

import numpy as np

from peers import PEERS

TABLE_NAME, JSON_NAME, PICTURE_NAME = "benchmark.md", "benchmark.json", "benchmark.png"
# From Okabe and Ito: colour-blind readers can tell them apart.
COLOURS = {"dlt": "#0072B2", "peer": "#E69F00"}
LEGEND = {"dlt": "dlt", "peer": "peers, same work"}


def summarize(race, batch_size, difference):
    """Return the results of a `peers.race.Race` with one batch size, fastest competitor first.

    Each competitor gets median, q25 and q75 (seconds) and ratio (its median divided by that of the
    fastest dlt, or None without one). `difference` is what `peers.race.largest_difference` returns.
    """
    competitors = []
    for facts in race.competitors:
        q25, median, q75 = np.percentile(facts["seconds"], [25, 50, 75]).tolist()
        competitors.append(dict(facts, median=median, q25=q25, q75=q75))
    competitors.sort(key=lambda facts: facts["median"])
    ours = [facts for facts in competitors if kind(facts["name"]) == "dlt"]
    for facts in competitors:
        facts["ratio"] = facts["median"] / ours[0]["median"] if ours else None
    return {
        "batch_size": batch_size,
        "largest_difference": difference,
        "dlt_best": ours[0]["name"] if ours else None,
        "competitors": competitors,
        "skipped": race.skipped,
    }


def kind(name):
    """Return a competitor's kind: ``"dlt"``, ``"peer"``, or ``"other"`` for other work."""
    if name.startswith("dlt_"):
        return "dlt"
    return "peer" if PEERS[name].same_work else "other"


def markdown(facts):
    """Return the facts (benchmark, machine, data and results) as Markdown."""
    lines = ["# Benchmark", "", _work(facts), "", *_machine(facts), ""]
    for result in facts["results"]:
        lines += _section(result, facts)
    return "\n".join(lines)


def _work(facts):
    data, benchmark = facts["data"], facts["benchmark"]
    return (
        f"One epoch of minibatch SGD on softmax regression with {data['name']} "
        f"({data['n_train']} training examples of {data['n_in']} values), then a validation over "
        f"all {data['n_valid']} validation examples; float32, rate {benchmark['learning_rate']}, "
        f"on the {benchmark['device'].upper()}. Medians of {benchmark['rounds']} rounds. Each "
        "competitor has its own process and trains ten epochs a round, of which the first two do "
        "not count."
    )  # fmt: skip


def _machine(facts):
    machine = facts["machine"]
    where = "{date}; {cpu}, {cores} cores; {system}; Python {python}".format(**machine)
    yield "- " + "; ".join([where] + (["GPU: " + machine["gpu"]] if "gpu" in machine else []))
    versions = {}
    for result in facts["results"]:
        for competitor in result["competitors"]:
            versions.update(competitor["versions"])
    yield "- " + ", ".join(f"{library} {v}" for library, v in sorted(versions.items()))
    settings = [f"{name}={value}" for name, value in sorted(machine["environment"].items())]
    yield "- environment: " + (", ".join(settings) or "nothing that affects speed")
    yield f"- data loaded in {facts['data']['loading_seconds']:.2f} s, before everything else"


def _section(result, facts):
    difference = result["largest_difference"][0]
    n_updates = facts["data"]["n_train"] // result["batch_size"]
    yield f"## Batch size {result['batch_size']}: {n_updates} updates an epoch"
    yield ""
    yield (
        "| competitor | ms / epoch | quartiles | by best dlt | first epoch, cold s | warm s "
        "| reading data, s | peak MB | threads |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|---|"
    yield from (_row(competitor) for competitor in result["competitors"])
    yield ""
    yield (
        f"Validation errors agree after every epoch: at most {difference} of "
        f"{facts['data']['n_valid']} examples apart."
        if difference <= facts["benchmark"]["tolerance"]
        else f"**NOT the same work**: validation errors are up to {difference} examples apart."
    )
    yield (
        "Threads: how many the BLAS and OpenMP libraries of each process may use, even if they "
        "are not needed; XLA uses one for each core."
    )
    if any(kind(c["name"]) == "other" for c in result["competitors"]):
        yield "(*) other work, only for orientation; its errors are not compared."
    for name, reason in result["skipped"].items():
        yield f"Skipped: {PEERS[name].title}, {reason}."
    yield ""


def _row(facts):
    peak = facts["peak_bytes"]
    threads = ", ".join(f"{library} {n}" for library, n in sorted(facts["threads"].items()))
    cells = [
        PEERS[facts["name"]].title + (" (*)" if kind(facts["name"]) == "other" else ""),
        f"{1000 * facts['median']:.1f}",
        f"{1000 * facts['q25']:.1f}-{1000 * facts['q75']:.1f}",
        "-" if facts["ratio"] is None else f"{facts['ratio']:.2f}",
        f"{facts['first_epoch']['cold']:.2f}",
        f"{facts['first_epoch']['warm']:.2f}",
        f"{facts['loading_seconds']:.2f}",
        "-" if peak is None else f"{peak / 1e6:.0f}",
        threads or "-",
    ]
    return f"| {' | '.join(cells)} |"


def write(facts, folder):
    """Write benchmark.md, the table, and benchmark.json, the raw times."""
    from dlt.files.writing import write_text

    write_text(os.path.join(folder, TABLE_NAME), markdown(facts) + "\n")
    write_text(os.path.join(folder, JSON_NAME), json.dumps(facts, indent=1) + "\n")


def draw(facts, folder):
    """Draw benchmark.png: bars for those that did the same work, with whiskers at the quartiles."""
    from matplotlib.patches import Patch

    from dlt.pictures import figures

    # Other work is only in the table: its bars would dwarf the rest.
    results = [
        dict(r, competitors=[c for c in r["competitors"] if kind(c["name"]) != "other"])
        for r in facts["results"]
    ]
    heights = [1.1 + 0.32 * len(result["competitors"]) for result in results]
    with figures.style():
        figure = figures.new_figure(sum(heights) + 0.5)
        figure.set_layout_engine("tight", rect=(0, 0.35 / figure.get_figheight(), 1, 1))
        panels = figure.subplots(len(results), squeeze=False, height_ratios=heights)[:, 0]
        for panel, result in zip(panels, results):
            _draw_panel(panel, result)
        panels[-1].set_xlabel("milliseconds per epoch, validation included (less is better)")
        shown = {kind(c["name"]) for result in results for c in result["competitors"]}
        handles = [Patch(color=COLOURS[k], label=LEGEND[k]) for k in COLOURS if k in shown]
        figure.legend(handles=handles, loc="lower center", ncol=3, frameon=False)
    figures.save_figure(os.path.join(folder, PICTURE_NAME), figure)


def _draw_panel(panel, result):
    competitors = result["competitors"]
    median, q25, q75 = (
        1000 * np.array([facts[name] for facts in competitors]) for name in ("median", "q25", "q75")
    )
    rows = np.arange(len(competitors))
    panel.barh(
        rows,
        median,
        xerr=[median - q25, q75 - median],
        color=[COLOURS[kind(facts["name"])] for facts in competitors],
        error_kw={"capsize": 3, "elinewidth": 1},
    )
    for row, value, end in zip(rows, median, q75):
        label = f"{value:.0f}" if value >= 10 else f"{value:.2g}"
        panel.annotate(label, (end, row), (5, 0), textcoords="offset points", va="center")
    panel.set_yticks(rows, [PEERS[facts["name"]].title for facts in competitors])
    panel.invert_yaxis()  # the fastest at the top, as in the table
    panel.set_xlim(0, 1.15 * q75.max())
    panel.set_title(f"minibatches of {result['batch_size']}", loc="left")
    panel.spines[["top", "right"]].set_visible(False)
