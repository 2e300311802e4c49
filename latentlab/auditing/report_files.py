"""The files of a report: one page that opens alone, and the same figures for programs beside it."""

from __future__ import annotations

from pathlib import Path

from latentlab.auditing.broken_zip import zip_broken_images
from latentlab.auditing.image_source import ImageSource
from latentlab.auditing.report import write_report
from latentlab.auditing.result import AuditResult
from latentlab.auditing.tables import write_csv, write_directions_csv, write_json

REPORT_FILE, JSON_FILE, CSV_FILE = "report.html", "audit.json", "audit.csv"
DIRECTIONS_FILE, BROKEN_FILE = "directions.csv", "broken.zip"


def write_report_files(folder: Path, result: AuditResult, images: ImageSource) -> None:
    (folder / JSON_FILE).write_text(write_json(result), "utf-8")
    (folder / CSV_FILE).write_text(write_csv(result), "utf-8")
    if any(move.summary.broken for move in result.moves):
        (folder / BROKEN_FILE).write_bytes(zip_broken_images(result, images))
    if result.rankings:
        (folder / DIRECTIONS_FILE).write_text(write_directions_csv(result), "utf-8")
    (folder / REPORT_FILE).write_text(write_report(result, images), "utf-8")
