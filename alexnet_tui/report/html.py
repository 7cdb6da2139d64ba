"""The report as one HTML file that needs nothing else: inline style and pictures, light, dark and print."""

from collections.abc import Iterable, Iterator, Sequence

from alexnet_tui.analysis import published as paper
from alexnet_tui.analysis.claims import ClaimVerdict
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.published import EXPERIMENTS
from alexnet_tui.report.build import Report, Section
from alexnet_tui.report.charts import escape, experiment_chart, interval_chart, overlay_chart
from alexnet_tui.report.table import Row
from alexnet_tui.report.wording import (
    CAVEAT,
    MORE_COLUMNS,
    SELECTED_NOTE,
    SIGNS,
    TABLE_COLUMNS,
    UNITS_NOTE,
    effect,
    facts,
    heading,
    ours,
    provenance,
    published,
    section_title,
    side,
    time_ratio,
)
from alexnet_tui.text import MISSING

_STYLE = """
:root{color-scheme:light dark;--bg:#fbfaf8;--card:#fff;--ink:#1d2129;--soft:#5d6470;--line:#e4e1da;--faint:#f3f1ec;
--c0:#1f6feb;--c1:#d1570b;--c2:#1a7f5a;--c3:#8a4fc4;--c4:#a8324a;--c5:#6b7280;
--good:#18794e;--bad:#b42318;--open:#8a6100;--mark:#6b5b2e;--zone:#18794e}
@media screen and (prefers-color-scheme:dark){:root{--bg:#14161a;--card:#1c1f25;--ink:#e7e9ee;--soft:#9aa3b2;
--line:#2e333c;--faint:#22262d;--c0:#6cabff;--c1:#ff9d5c;--c2:#4cc79a;--c3:#c69cf4;--c4:#f28b9f;--c5:#a3abb8;
--good:#4cc38a;--bad:#ff8a80;--open:#e5b94e;--mark:#d8c48a;--zone:#4cc38a}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);
font:16px/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1140px;margin:0 auto;padding:48px 28px 80px}
h1{font-size:34px;line-height:1.18;letter-spacing:-.02em;margin:0 0 12px;max-width:24em;text-wrap:balance}
h2{font-size:23px;letter-spacing:-.01em;margin:56px 0 6px}h3{font-size:17px;margin:34px 0 10px}
p{margin:6px 0;max-width:72ch}.soft,.note,dt,.source td{color:var(--soft)}.note{font-size:13.5px}
.kicker{color:var(--soft);font-size:13px;letter-spacing:.09em;text-transform:uppercase;margin-bottom:10px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:18px;margin:20px 0}
.card,figure{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px;margin:0}
.card{border-top:4px solid var(--tone)}.card h3{margin:8px 0 4px;font-size:16.5px;line-height:1.35;min-height:4.05em}
.supported{--tone:var(--good)}.not-supported{--tone:var(--bad)}.inconclusive{--tone:var(--open)}
.badge{color:var(--tone);font-weight:650;font-size:14px}.badge b{font-size:17px;margin-right:5px}
.big{font-size:30px;font-weight:650;letter-spacing:-.02em;font-variant-numeric:tabular-nums;margin:8px 0 0}
.why{font-size:14.5px;margin:8px 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:5px 14px;margin:10px 0;font-size:13.5px}
dt,dd{margin:0;overflow-wrap:anywhere}dd{font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto;margin:14px 0 8px}table{border-collapse:collapse;width:100%;font-size:13.5px;
font-variant-numeric:tabular-nums}th{text-align:right;font-weight:600;padding:8px 7px;
border-bottom:2px solid var(--line);white-space:nowrap}td{text-align:right;padding:6px 7px;white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:2px}tr.ours td{border-bottom:1px solid var(--line);
font-weight:550}tr.ours td small{font-weight:400;color:var(--soft)}tr.source td:first-child{font-weight:600;
color:var(--ink)}tr.ours td:first-child{color:var(--soft);font-weight:400}
.text td,.text th{white-space:normal;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);
padding:9px 14px 9px 2px}.text td:first-child{color:var(--soft);white-space:nowrap;padding-right:18px}
.text td:nth-child(2){white-space:normal;min-width:9em}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:18px;margin:18px 0}
figcaption{font-size:13.5px;color:var(--soft);margin-top:6px}figcaption b{color:var(--ink)}
svg{display:block;width:100%;height:auto;font:12px ui-sans-serif,system-ui,sans-serif}
.grid{stroke:var(--line)}.axis{stroke:var(--soft)}.tick{fill:var(--soft)}polyline{fill:none;stroke-width:2;
stroke-linejoin:round}polygon{opacity:.17}.ref{stroke:var(--mark);stroke-width:1.2}.dotted{stroke-dasharray:2 4}
.thick{stroke-width:5;opacity:.75}.reft{fill:var(--mark);font-size:11px;paint-order:stroke;stroke:var(--card);
stroke-width:4px;stroke-linejoin:round}.mark{fill:var(--card);stroke:var(--mark);stroke-width:1.8}
.bar{stroke:var(--tone);stroke-width:3.5;stroke-linecap:round}.dot{fill:var(--tone)}.zone{fill:var(--zone);opacity:.1}
svg [class^=t]{font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
svg text.tick{font-weight:400;stroke-width:0}
@media print{:root{--bg:#fff;--card:#fff}main{max-width:none;padding:0}body{font-size:11.5px}h1{font-size:24px}
h2{margin-top:26px}.card,figure,tr,dl{break-inside:avoid}h2,h3{break-after:avoid}.scroll{overflow:visible}
.cards{grid-template-columns:repeat(3,1fr)}.figures{grid-template-columns:1fr 1fr}table{font-size:10px}
td,th{padding:3px 5px}.big{font-size:19px}.card h3{font-size:12px}.why,.note,.badge,dl,figcaption{font-size:10.5px}
.card,figure{padding:10px 12px}section+section{break-before:page}@page{margin:14mm}}
@media (max-width:560px){main{padding:28px 16px}.figures{grid-template-columns:1fr}h1{font-size:26px}}
"""
_SERIES = "".join(
    f".s{index}{{stroke:var(--c{index});stroke-dasharray:{dash}}}.b{index},.t{index}{{fill:var(--c{index})}}"
    f".m{index}{{stroke:var(--c{index})}}"
    for index, dash in enumerate(("none", "7 4", "2 3", "10 3 2 3", "4 4", "1 3"))
)


def to_html(report: Report) -> str:
    """The whole report as one HTML document."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Report) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<title>AlexNet report: {escape(report.title)}</title><style>{_STYLE}{_SERIES}</style></head><body><main>"
    yield '<div class="kicker">Reproduction of a reproducibility report</div>'
    yield f"<h1>{escape(paper.REPORT_TITLE)}</h1>"
    yield f'<p class="soft">The report: {escape(paper.REPORT_AUTHORS)}. The runs here: {escape(report.title)}.</p>'
    for section in report.sections:
        yield from _section(section)
    yield from _contradictions(report)
    yield "<h2>The 2012 paper</h2>"
    yield f'<p class="soft">{escape(paper.PAPER_AUTHORS)}</p>'
    rows = ((result.what, f"{result.value:g}", result.place) for result in report.paper)
    yield from _text_table(("Figure", "Value", "Place"), rows)
    if report.problems:
        yield "<h2>Runs that could not be read</h2><ul>"
        yield from (f"<li>{escape(problem)}</li>" for problem in report.problems)
        yield "</ul>"
    yield "</main></body></html>"


def _section(section: Section) -> Iterator[str]:
    yield f"<section><h2>{escape(section_title(section))}</h2>"
    yield from (f'<p class="soft">{escape(note)}</p>' for note in section.notes)
    yield '<div class="cards">'
    yield from (_card(verdict) for verdict in section.claims)
    yield "</div><h3>Behind the verdicts</h3>"
    yield from _evidence(section.claims)
    yield "<h3>Our table beside the report's</h3>"
    yield from _table(section.rows, TABLE_COLUMNS, with_speed=True)
    yield f'<p class="note">{escape(UNITS_NOTE)}<br>{escape(SELECTED_NOTE)}</p>'
    yield from _table(section.rows, MORE_COLUMNS, with_speed=False)
    if section.curves:
        yield "<h3>Curves: mean and one standard deviation over seeds</h3>"
        yield from _figures(section)
    yield "<h3>Provenance</h3>"
    yield f"{_definitions(provenance(section.provenance))}</section>"


def _card(verdict: ClaimVerdict) -> str:
    state = verdict.verdict.value.replace(" ", "-")
    evidence = verdict.effect
    told = dict(facts(verdict))
    big = told["Estimate"].split(" (")[0] if evidence else "no estimate"
    interval = f"95% interval {escape(told['95% interval'])}" if evidence else ""
    return (
        f'<article class="card {state}"><div class="badge"><b aria-hidden="true">{SIGNS[verdict.verdict]}</b>'
        f"{escape(verdict.headline.capitalize())}</div><h3>{verdict.number}. {escape(verdict.statement)}</h3>"
        f'<p class="big">{escape(big)}</p><p class="note">{interval}</p>{interval_chart(verdict)}'
        f'<p class="why">{"<br>".join(map(escape, verdict.reasons))}</p>'
        f'<p class="note">◇ the report: {escape(effect(verdict.published_effect, verdict.unit))} ({CAVEAT})</p>'
        "</article>"
    )


def _evidence(claims: Sequence[ClaimVerdict]) -> Iterator[str]:
    """One column a claim: every fact of its card, and what stands beside it."""
    told = [dict(facts(verdict)) for verdict in claims]
    labels = max(told, key=len, default={})
    headings = "".join(f"<th>Claim {verdict.number}</th>" for verdict in claims)
    yield f'<div class="scroll"><table class="text"><thead><tr><th></th>{headings}</tr></thead><tbody>'
    for label in labels:
        cells = "".join(f"<td>{escape(facts_of.get(label, MISSING))}</td>" for facts_of in told)
        yield f"<tr><td>{escape(label)}</td>{cells}</tr>"
    sides = "".join(f"<td>{'<br>'.join(escape(side(one)) for one in verdict.secondary)}</td>" for verdict in claims)
    yield f"<tr><td>Beside it</td>{sides}</tr></tbody></table></div>"


def _table(rows: Iterable[Row], columns: Sequence[str], *, with_speed: bool) -> Iterator[str]:
    yield '<div class="scroll"><table><thead><tr><th>Experiment</th>'
    yield from (f'<th title="{escape(METRICS[name].help)}">{escape(heading(name))}</th>' for name in columns)
    yield f"{'<th>Speed</th>' if with_speed else ''}</tr></thead><tbody>"
    for row in rows:
        if row.is_published:
            cells = "".join(f"<td>{escape(published(row, name))}</td>" for name in columns)
            yield f'<tr class="source"><td>{escape(row.title)}</td>{cells}{"<td>1x</td>" if with_speed else ""}</tr>'
        cells = "".join(f"<td>{_with_small_spread(ours(row, name))}</td>" for name in columns)
        speed = f"<td>{escape(time_ratio(row))}</td>" if with_speed else ""
        yield f'<tr class="ours"><td>ours, n = {row.num_runs}</td>{cells}{speed}</tr>'
    yield "</tbody></table></div>"


def _with_small_spread(text: str) -> str:
    mean, sign, spread = text.partition(" ±")
    return f"{escape(mean)}<small>{escape(sign + spread)}</small>" if sign else escape(text)


def _figures(section: Section) -> Iterator[str]:
    tests = [curve for curve in section.curves if curve.column == "test_accuracy"]
    yield f"<figure>{overlay_chart(tests)}<figcaption>Test accuracy of all experiments.</figcaption></figure>"
    yield '<div class="figures">'
    for arm in dict.fromkeys(curve.group for curve in section.curves):
        curves = [curve for curve in section.curves if curve.group == arm]
        experiment = EXPERIMENTS.get(arm)
        beside = f" Marks: what the report says of its {experiment.figure} ({CAVEAT})." if experiment else ""
        yield (
            f"<figure>{experiment_chart(curves, experiment)}<figcaption><b>{escape(curves[0].title)}</b>,"
            f" n = {curves[0].num_runs}.{escape(beside)}</figcaption></figure>"
        )
    yield "</div>"


def _contradictions(report: Report) -> Iterator[str]:
    yield "<h2>Where the report contradicts itself or its source</h2>"
    yield f'<p class="soft">{len(report.contradictions)} places, each with both sides.</p>'
    rows = ((str(c.number), c.place, c.one, c.other, c.consequence) for c in report.contradictions)
    yield from _text_table(("#", "Place", "One side", "The other side", "Consequence"), rows)


def _text_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    head = "".join(f"<th>{escape(text)}</th>" for text in headings)
    yield f'<div class="scroll"><table class="text"><thead><tr>{head}</tr></thead><tbody>'
    for row in rows:
        yield f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>"
    yield "</tbody></table></div>"


def _definitions(pairs: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(label)}</dt><dd>{escape(text)}</dd>' for label, text in pairs)}</dl>"
