"""metrics.csv: rows, columns that come later, and what a resume cuts away."""

import csv
from pathlib import Path

import torch

from wgan_lip.runs import MetricsCSV


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_on_disk_at_once_and_late_columns_are_empty_before(tmp_path):
    logger = MetricsCSV(tmp_path / "metrics.csv")
    logger.log_metrics({"generator_step": 0, "a": 0.1}, step=7)
    assert read(logger.path) == [{"generator_step": "0", "a": "0.1"}]
    logger.log_metrics({"generator_step": 1, "b": torch.tensor(2.5)})
    assert read(logger.path) == [
        {"generator_step": "0", "a": "0.1", "b": ""},
        {"generator_step": "1", "a": "", "b": "2.5"},
    ]


def test_floats_survive_to_the_last_bit(tmp_path):
    logger = MetricsCSV(tmp_path / "metrics.csv")
    logger.log_metrics({"a": 0.1 + 0.2})
    assert float(read(logger.path)[0]["a"]) == 0.1 + 0.2


def test_a_second_logger_continues_and_truncates(tmp_path):
    first = MetricsCSV(tmp_path / "metrics.csv")
    for i in range(5):
        first.log_metrics({"i": i})
    second = MetricsCSV(tmp_path / "metrics.csv")
    assert second.rows == 5
    second.truncate(9)
    assert len(read(second.path)) == 5
    second.truncate(2)
    second.log_metrics({"i": 70, "late": 1})
    assert [row["i"] for row in read(second.path)] == ["0", "1", "70"]
    assert second.rows == 3
    second.truncate(0)
    second.log_metrics({"i": 8})
    assert [row["i"] for row in read(second.path)] == ["8"]


def test_a_last_row_cut_off_by_a_kill_is_dropped_on_resume(tmp_path):
    logger = MetricsCSV(tmp_path / "metrics.csv")
    logger.log_metrics({"i": 1, "a": 0.25})
    with logger.path.open("a") as file:
        file.write("2,0.")
    again = MetricsCSV(tmp_path / "metrics.csv")
    again.truncate(1)
    again.log_metrics({"i": 2, "a": 0.75})
    assert [(row["i"], row["a"]) for row in read(again.path)] == [("1", "0.25"), ("2", "0.75")]
