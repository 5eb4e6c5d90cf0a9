"""A report as one HTML file that needs nothing else: table, bars, and the JSON that they are made of."""

from __future__ import annotations

import html
import json
import statistics

from recordkit.bench.report import Case, Report
from recordkit.bench.table import interval_text, lines

_COLUMNS = ("case", "threads", "images per second", "ratio", "95% interval", "cores", "peak MB", "first batch, ms")

_STYLE = """
:root { color-scheme: light dark; --bar: #56b4e9; --own: #0072b2; --line: #8886; }
@media (prefers-color-scheme: dark) { :root { --bar: #2f6f95; --own: #3fa7e0; } }
body { font: 16px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .5rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th button { font: inherit; font-weight: 600; background: none; border: 0; padding: 0; cursor: pointer; color: inherit; }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
.bar { display: block; height: .35rem; border-radius: .2rem; background: var(--bar); margin-top: .15rem; }
.own .bar { background: var(--own); }
@media (max-width: 40rem) {
  table { font-size: .85rem; }
  th, td { padding: .4rem .25rem; }
  th, td:first-child { white-space: normal; }
}
.not td { color: #888; }
.not td:nth-child(3) { text-align: left; white-space: normal; }
.noisy { border-left: .3rem solid #d55e00; padding-left: .6rem; }
pre { overflow-x: auto; font-size: .8rem; }
"""

_SCRIPT = """
document.querySelectorAll("th button").forEach((button, column) => button.addEventListener("click", () => {
  const head = button.parentElement, body = document.querySelector("tbody");
  const down = head.getAttribute("aria-sort") !== "descending";
  document.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = (row) => row.cells[column]?.dataset.value ?? "";
  const compare = (a, b) => {
    const [one, other] = [value(a), value(b)];
    if (one === "" || other === "") return (one === "") - (other === "");
    const order = column ? one - other : one.localeCompare(other);
    return down ? -order : order;
  };
  [...body.rows].sort(compare).forEach((row) => body.append(row));
}));
"""


def page(report: Report) -> str:
    """Return the HTML."""
    most = max((case.median_img_s for case in report.cases if case.measured), default=1.0)
    about = [html.escape(line) for line in lines(report) if line]
    n_above = 3
    rows = "\n".join(_row(report, case, most) for case in report.by_rate())
    heads = "".join(f'<th scope="col"><button type="button">{name}</button></th>' for name in _COLUMNS)
    remarks = "\n".join(
        f"<p{' class=noisy' if line.startswith('NOISY') else ''}>{line}</p>"
        for line in about[n_above + 1 + len(report.cases) :]
    )
    facts = json.dumps(report.as_json(), indent=1)
    harmless = facts.replace("<", "\\u003c")  # no tag ends the script early
    versions = html.escape(", ".join(map(" ".join, report.versions.items())))
    name = html.escape(report.file["name"])
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Loading {name}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Loading {name}: images per second</h1>
<p>{about[0]}<br>{about[1]}<br>{about[2]}</p>
<div class="scroll"><table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
{remarks}
<p>Made by <code>{html.escape(report.command)}</code> with {versions}.</p>
<details><summary>All figures, as JSON</summary><pre>{html.escape(facts, quote=False)}</pre></details>
<script type="application/json" id="report">{harmless}</script>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _row(report: Report, case: Case, most: float) -> str:
    title = html.escape(case.title)
    first = f'<td data-value="{title}">{title}</td><td data-value="{case.threads}">{case.threads}</td>'
    if not case.measured:
        why = f"{case.status}: {html.escape(case.note)}"
        return f'<tr class="not">{first}<td colspan="{len(_COLUMNS) - 2}">{why}</td></tr>'
    ratio = report.ratio(case)
    share = case.median_img_s / most
    rate = f'{case.median_img_s:,.0f}<span class="bar" style="width:{share:.1%}"></span>'
    cells = [
        (case.median_img_s, rate),
        (ratio.value if ratio else "", f"x{ratio.value:.2f}" if ratio else ""),
        (ratio.half_width if ratio and interval_text(ratio) else "", interval_text(ratio)),
        (case.cores, f"{case.cores:.1f}"),
        *((value, f"{value:,.0f}") for value in [statistics.median(case.peak_rss_mb)]),
        *((value, f"{value:,.0f}") for value in [statistics.median(case.first_batch_s) * 1000]),
    ]
    own = ' class="own"' if case.title.startswith("recordkit") else ""
    return f"<tr{own}>{first}" + "".join(f'<td data-value="{value}">{text}</td>' for value, text in cells) + "</tr>"
