"""An experiment's figure: a dot an arm with its interval, a column of dots a figure, as one file that opens alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latentlab.experiments.experiment import Experiment

PANEL_PIXELS, LABEL_PIXELS, ROW_PIXELS, FIXED_PIXELS = 260, 240, 24, 200


def write_chart(experiment: Experiment, rows: list[dict[str, Any]], sentence: str, path: Path) -> None:
    from plotly.subplots import make_subplots

    names = [name for name, figure in experiment.figures.items() if figure.is_plotted]
    titles = [_write_panel_title(experiment, name) for name in names]
    figure = make_subplots(1, len(names), shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.03)
    for column, name in enumerate(names, 1):
        figure.add_trace(_make_dots(experiment, rows, name), 1, column)
    arms = [row["arm"] for row in rows]
    figure.update_yaxes(categoryorder="array", categoryarray=arms[::-1], range=[-0.7, len(arms) - 0.3], automargin=True)
    figure.update_layout(
        title={
            "text": f"{experiment.paper}<br><sub>{experiment.title}; {_describe_size(rows)}</sub>",
            "x": 0.02,
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 24},
        },
        showlegend=False,
        template="plotly_white",
        width=LABEL_PIXELS + PANEL_PIXELS * max(len(names), 3),
        height=FIXED_PIXELS + ROW_PIXELS * len(rows),
        margin={"t": 140, "b": 40},
        meta=sentence,
    )
    figure.write_html(path, include_plotlyjs=True)


def _make_dots(experiment: Experiment, rows: list[dict[str, Any]], name: str) -> Any:
    import plotly.graph_objects as go

    scale = 100 if experiment.figures[name].is_share else 1
    measured = [row for row in rows if name in row["figures"]]
    found = [row["figures"][name] for row in measured]
    return go.Scatter(
        x=[scale * f["value"] for f in found],
        y=[row["arm"] for row in measured],
        mode="markers",
        error_x={"array": [scale * (f["high"] - f["value"]) for f in found], "thickness": 1.5},
        marker={"color": "#4c78a8", "size": 9},
    )


def _write_panel_title(experiment: Experiment, name: str) -> str:
    figure = experiment.figures[name]
    better = "more is better" if figure.higher_is_better else "less is better"
    return f"{figure.title}{' (%)' if figure.is_share else ''}<br><sub>{better}</sub>"


def _describe_size(rows: list[dict[str, Any]]) -> str:
    seeds = rows[0]["seeds"]
    return f"{seeds} seed{'s' if seeds > 1 else ''}, 95 % intervals"
