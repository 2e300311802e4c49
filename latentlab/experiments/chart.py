"""An experiment's figure: a bar an arm with its interval, one row of bars a figure, as one file that opens alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latentlab.experiments.experiment import Experiment

PANEL_PIXELS, BAR_PIXELS, FIXED_PIXELS = 300, 26, 180  # width of a panel; heights of a bar, and of title and axes


def write_chart(experiment: Experiment, rows: list[dict[str, Any]], sentence: str, path: Path) -> None:
    from plotly.subplots import make_subplots

    names = [name for name, figure in experiment.figures.items() if figure.is_plotted]
    titles = [_write_axis_title(experiment, name) for name in names]
    figure = make_subplots(1, len(names), shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.03)
    for column, name in enumerate(names, 1):
        figure.add_trace(_make_bars(experiment, rows, name), 1, column)
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(rangemode="tozero")
    figure.update_layout(
        title={"text": f"{experiment.paper}: {experiment.title}<br><sub>{_describe_size(rows)}</sub>"},
        showlegend=False,
        template="plotly_white",
        width=220 + PANEL_PIXELS * len(names),
        height=FIXED_PIXELS + BAR_PIXELS * len(rows),
        margin={"t": 110},
        meta=sentence,
    )
    figure.write_html(path, include_plotlyjs=True)


def _make_bars(experiment: Experiment, rows: list[dict[str, Any]], name: str) -> Any:
    import plotly.graph_objects as go

    scale = 100 if experiment.figures[name].is_share else 1
    measured = [row for row in rows if name in row["figures"]]
    found = [row["figures"][name] for row in measured]
    return go.Bar(
        x=[scale * f["value"] for f in found],
        y=[row["arm"] for row in measured],
        orientation="h",
        error_x={"array": [scale * (f["high"] - f["value"]) for f in found], "thickness": 1.5},
        marker_color="#4c78a8",
    )


def _write_axis_title(experiment: Experiment, name: str) -> str:
    figure = experiment.figures[name]
    better = "" if figure.higher_is_better else ", smaller is better"
    return f"{figure.title}{' (%)' if figure.is_share else ''}{better}"


def _describe_size(rows: list[dict[str, Any]]) -> str:
    seeds = rows[0]["seeds"]
    return f"{seeds} seed{'s' if seeds > 1 else ''}, 95 % intervals over seeds (Student)"
