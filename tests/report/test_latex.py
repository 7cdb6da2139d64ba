"""Both LaTeX outputs, set by LaTeX itself from runs with hostile names."""

import shutil
import subprocess
from pathlib import Path

import pytest
from fake_histories import CLEAR, make_history, study
from fake_runs import write_run

from alexnet_tui.analysis.compare import compare
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.report.build import build
from alexnet_tui.report.latex import comparison_to_latex, escape_latex, to_latex
from alexnet_tui.runs.events import Failed
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store

HOSTILE = (
    "50% of_my & $x$ #1 ~a ^b \\c {d} }e{",
    "[3pt] begins with a bracket",
    "*star",
    "日本語 🚀 Ωmega éü ł Ħ",
    'a<b>c|d "q" `t\' --dash ?`',
    "}\\end{tabular}\\input{/etc/passwd}%",
    "α→β ✓ ← ≥ × − ’ “x” …",
    "   ",
)


def typeset(folder: Path, body: str) -> str:
    """The log of pdflatex on a document that has what the body's first lines ask for and nothing else."""
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed")
    asked = [line.removeprefix("% ") for line in body.splitlines() if line.startswith("% \\usepackage")]
    page = ["\\documentclass{article}", *asked, "\\begin{document}\\noindent", body, "\\end{document}"]
    (folder / "page.tex").write_text("\n".join(page), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", "page.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    log = done.stdout.decode("utf-8", errors="replace")
    assert done.returncode == 0, log[-3000:]
    return log


def test_the_report_is_set_without_an_error_and_fits_the_page(tmp_path: Path) -> None:
    odd = make_history("tanh", 8, data="other-data_set", run_id="odd")
    log = typeset(tmp_path, to_latex(build([*study(shift=CLEAR), odd], title=HOSTILE[0])))
    assert "Overfull" not in log


def test_the_export_is_set_with_any_label_and_fits_the_page(store: Store, tmp_path: Path) -> None:
    configs = [RunConfig(epochs=2, data="synthetic", seed=seed) for seed in range(len(HOSTILE))]
    records = [write_run(store, config, label=label) for config, label in zip(configs, HOSTILE, strict=True)]
    histories = [load(store, record.id)[0] for record in records]
    text = comparison_to_latex(compare(histories, is_grouped=False))
    assert "/etc/passwd" in text
    log = typeset(tmp_path, text)
    assert "Overfull" not in log
    assert "(/etc/passwd" not in log


def test_what_latex_would_take_for_its_own_is_told_otherwise() -> None:
    assert escape_latex("[3pt]*") == "{[}3pt]{*}"
    assert escape_latex("a--b---c") == "a-{}-b-{}-{}-c"
    assert escape_latex("40–50 é ✓") == r"40\textendash{}50 é {[}U+2713]"


def test_the_best_is_that_of_finished_runs_and_others_say_their_state() -> None:
    failed = Failed(reason="diverged", message="Training diverged.")
    better, live = make_history("tanh", final=0.7, end=failed), make_history("four-conv", final=0.8, finish=False)
    compared = compare([make_history(), make_history("low-dropout", final=0.5), better, live], {live.id: State.RUNNING})
    rows = [line for line in comparison_to_latex(compared).splitlines() if " & 1 & " in line]
    assert [row.partition(" &")[0] for row in rows] == [
        "baseline",
        "low-dropout",
        "tanh (diverged)",
        "four-conv (running)",
    ]
    assert [r"\textbf{60.00}" in row for row in rows] == [True, False, False, False]
    assert [r"\textbf" in row for row in rows[2:]] == [False, False]


def test_equal_bests_are_all_bold() -> None:
    lines = comparison_to_latex(compare(study(2))).splitlines()
    assert [line.count(r"\textbf{8.0") for line in lines if line.endswith(r"\\") and " & 2 & " in line] == [1] * 4
