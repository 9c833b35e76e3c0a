# SPDX-License-Identifier: MIT
import pytest

from glintfpga.host.report import fields
from glintfpga.host.report.fields import Fields, read_json
from glintfpga.quant.errors import InputError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "x.json"


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "not JSON"),
        (b'{"a": 1', "not JSON"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": 1e999}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "no JSON object"),
    ],
)
def test_files_that_are_no_object(file, data, message):
    file.write_bytes(data)
    with pytest.raises(InputError, match=f"^the report '.*x.json'.*{message}"):
        read_json(file, what="report")


def test_large_files_are_refused(file, monkeypatch):
    monkeypatch.setattr(fields, "MAX_BYTES", 10)
    file.write_bytes(b'{"a": "0123456789"}')
    with pytest.raises(InputError, match="larger than"):
        read_json(file, what="report")


@pytest.mark.quick
@pytest.mark.parametrize(
    "read, value, wanted",
    [
        (lambda f: f.text("a"), 3, "a text"),
        (lambda f: f.whole("a"), 1.0, "a whole number"),
        (lambda f: f.whole("a"), True, "a whole number"),
        (lambda f: f.whole("a"), -1, "a whole number"),
        (lambda f: f.whole("a", 5), 6, "a whole number from 0 to 5"),
        (lambda f: f.number("a"), "3", "a number"),
        (lambda f: f.number("a"), 1e300, "a number"),
        (lambda f: f.number("a"), float("nan"), "a number"),
        (lambda f: f.number("a"), False, "a number"),
        (lambda f: f.inner("a"), [], "a JSON object"),
        (lambda f: f.texts("a"), "abc", "a list"),
        (lambda f: f.rows("a", 5), {}, "a list"),
    ],
)
def test_wrong_values_name_file_and_field(file, read, value, wanted):
    with pytest.raises(InputError, match=rf"^'.*x\.json': 'top\.a' must be {wanted}"):
        read(Fields(file, {"a": value}, "top"))


@pytest.mark.parametrize(
    "rows", [[[1, 2], [5, 0]], [[1, 2], [0]], [[1, 2], 3], [[0, 0], [0, -1]], [[0, 0], [True, 0]]]
)
def test_wrong_rows_name_their_place(file, rows):
    with pytest.raises(InputError, match=r"'top\.a\[1\]' must be whole numbers below 5, 9"):
        Fields(file, {"a": rows}, "top").rows("a", 5, 9)


def test_missing_fields_and_right_ones(file):
    top = Fields(file, {"a": {"b": [{"c": "x"}]}, "n": 2, "no": None})
    with pytest.raises(InputError, match="lacks 'a.z'"):
        top.inner("a").text("z")
    assert top.inner("a").inners("b")[0].text("c") == "x"
    assert (top.number("n"), top.whole("n")) == (2.0, 2)
    assert "n" in top and "no" not in top and "else" not in top
    with pytest.raises(InputError, match=r"'a\.b\[0\]\.c' must be a whole number"):
        top.inner("a").inners("b")[0].whole("c")


def test_messages_stay_short(file):
    with pytest.raises(InputError) as caught:
        Fields(file, {"a": "x" * 10_000}).whole("a")
    assert len(str(caught.value)) < 300
