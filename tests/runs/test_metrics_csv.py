"""metrics.csv: rows, late columns, truncation on resume; and files that were removed, cut off or changed."""

import csv
import re
import shutil
from pathlib import Path

import pytest
import torch

from tests.support.metrics import rows
from tests.training.builders import fit, tiny_gan
from wgan_lip.runs import MetricsCSV
from wgan_lip.runs.metrics_csv import read_metrics_file

GOOD = b"generator_step,w1/exact,more\r\n0,1.5,\r\n5,1.25,7\r\n"
REQUIRED = "a line of names and, below it, lines of as many numbers are required"


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


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xef\xbb\xbf" + GOOD, r"its header holds '\ufeffgenerator_step', which is not the name of a metric"),
        (GOOD.replace(b"1.25", b'"1.25'), "unexpected end of data"),
        (GOOD.replace(b"1.25", b'1.2"5'), "could not convert string to float: '1.2\"5' (line 3, w1/exact)"),
        (GOOD.replace(b"w1/exact", b'w1/ex"act'), "its header holds 'w1/ex\"act', which is not the name of a metric"),
        (GOOD.replace(b"1.25", b"1.\x005"), "could not convert string to float: '1.\\x005' (line 3, w1/exact)"),
        (GOOD.replace(b"more", b"w1/exact"), "its header names a column twice"),
        (GOOD.replace(b",more", b","), "its header holds '', which is not the name of a metric"),
        (GOOD.replace(b"5,1.25,7", b"5,1.25"), "line 3 has 2 values for 3 columns"),
        (GOOD.replace(b"5,1.25,7", b"5,1.25,7,8"), "line 3 has 4 values for 3 columns"),
        (GOOD.replace(b"5,1.25,7", b""), "line 3 has 0 values for 3 columns"),
        (
            GOOD.replace(b"5,1.25", b"5.5,1.25"),
            "invalid literal for int() with base 10: '5.5' (line 3, generator_step)",
        ),
        (GOOD.replace(b"5,1.25", b"-5,1.25"), "-5 is not a step (line 3, generator_step)"),
        (GOOD.replace(b"5,1.25", b"9" * 30 + b",1.25"), "9" * 30 + " is not a step (line 3, generator_step)"),
        (GOOD.replace(b"5,1.25", b"5,many"), "could not convert string to float: 'many' (line 3, w1/exact)"),
        (GOOD.decode().encode("utf-16"), "'utf-8' codec can't decode"),
        (GOOD + b"\xff\x00\x80\n", "'utf-8' codec can't decode"),
        (GOOD.replace(b"1.25", b"1" * 200_000), "field larger than field limit"),
    ],
    ids=str,
)
def test_what_is_damaged_says_what_and_what_is_required(content, reason, tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{re.escape(f'{path} is damaged: {reason}')}.*; {REQUIRED}$"):
        read_metrics_file(path)
    with pytest.raises(ValueError, match="is damaged"):
        MetricsCSV(path)
    assert path.read_bytes() == content


def test_a_row_that_is_being_written_and_unknown_columns_are_no_damage(tmp_path):
    (tmp_path / "metrics.csv").write_bytes(GOOD + b"10,0.")
    found = read_metrics_file(tmp_path / "metrics.csv")
    assert found.columns == ("generator_step", "w1/exact", "more")
    assert found.rows == (
        {"generator_step": "0", "w1/exact": "1.5"},
        {"generator_step": "5", "w1/exact": "1.25", "more": "7"},
    )
    (tmp_path / "metrics.csv").write_bytes(b"")
    assert (read_metrics_file(tmp_path / "metrics.csv").columns, found.size) == ((), len(GOOD))


def test_what_is_no_file_does_not_hang(tmp_path):
    import os

    os.mkfifo(tmp_path / "metrics.csv")
    with pytest.raises(ValueError, match="is not a file"):
        read_metrics_file(tmp_path / "metrics.csv")


@pytest.mark.parametrize("how", ["removed", "emptied", "cut", "cut in a row"])
def test_a_file_that_is_changed_while_it_is_written_gets_a_header_and_a_warning(how, tmp_path):
    path = tmp_path / "metrics.csv"
    logger = MetricsCSV(path)
    for step in range(3):
        logger.log_metrics({"generator_step": step, "a": 0.5})
    content = path.read_bytes()
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes(content[: {"emptied": 0, "cut": content.rfind(b"2,"), "cut in a row": -4}[how]])
    left = 2 if how.startswith("cut") else 0
    with pytest.warns(UserWarning, match=f"was changed by another program: it has {left} rows instead of 3"):
        logger.log_metrics({"generator_step": 3, "b": 0.25})
    logger.log_metrics({"generator_step": 4, "a": 0.75})
    expected = [*map(str, range(left)), "3", "4"]
    assert [row["generator_step"] for row in read_metrics_file(path).rows] == expected
    # What a checkpoint counts now is what there is.
    assert logger.rows == len(expected) == MetricsCSV(path).rows


def test_a_file_that_is_damaged_while_it_is_written_ends_the_training(tmp_path):
    logger = MetricsCSV(tmp_path / "metrics.csv")
    logger.log_metrics({"generator_step": 0, "a": 0.5})
    logger.path.write_bytes(b"\xef\xbb\xbf" + logger.path.read_bytes())
    with pytest.raises(ValueError, match="is damaged: its header"):
        logger.log_metrics({"generator_step": 1, "a": 0.5})


def test_what_is_no_number_is_not_logged(tmp_path):
    with pytest.raises(ValueError, match="metrics must be numbers; got note='x'"):
        MetricsCSV(tmp_path / "metrics.csv").log_metrics({"note": "x"})
    assert not (tmp_path / "metrics.csv").exists()


def test_a_link_is_not_appended_to(tmp_path):
    logger = MetricsCSV(tmp_path / "metrics.csv")
    logger.log_metrics({"a": 1})
    shutil.move(logger.path, tmp_path / "elsewhere")
    logger.path.symlink_to(tmp_path / "elsewhere")
    before = (tmp_path / "elsewhere").read_bytes()
    with pytest.raises(OSError, match=r"metrics\.csv is a link"):
        logger.log_metrics({"a": 2})
    assert (tmp_path / "elsewhere").read_bytes() == before


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    fit(folder, gan=tiny_gan(generator_steps=10))
    return folder


@pytest.mark.parametrize("how", ["removed", "empty", "shorter", "cut in its last row"])
def test_rows_that_are_missing_are_not_gone_on_without(how, trained, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "a")
    path, counted = folder / "metrics.csv", len(rows(folder))
    content = path.read_bytes()
    kept = {"removed": 0, "empty": 0, "shorter": content[:-2].rfind(b"\n") + 1, "cut in its last row": -3}[how]
    path.write_bytes(content[:kept])
    if how == "removed":
        path.unlink()
    left = counted - 1 if kept else 0
    with pytest.raises(ValueError, match=rf"has {left} rows, but the checkpoint counts {counted}: restore"):
        fit(folder, gan=tiny_gan(generator_steps=20), ckpt_path=folder / "checkpoints" / "last.ckpt")


def test_a_copy_of_a_checkpoint_begins_a_file_of_its_own(trained, tmp_path):
    logger = MetricsCSV(tmp_path / "metrics.csv", resume=False)
    checkpoint = shutil.copy(trained / "checkpoints" / "last.ckpt", tmp_path / "copy.ckpt")
    gan = fit(tmp_path, gan=tiny_gan(generator_steps=20), ckpt_path=checkpoint, logger=logger)
    assert gan.generator_step == 20
    assert {int(row["generator_step"]) for row in rows(tmp_path)} <= set(range(10, 21))
