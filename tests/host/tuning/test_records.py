# SPDX-License-Identifier: MIT
import json
from dataclasses import asdict, replace

import pytest

from glintfpga.host.tuning.records import (
    MAX_BYTES,
    read_records,
    records_file,
    write_record,
)
from glintfpga.quant.errors import EnvironmentProblem, InputError
from support.tuned_record import RECORD


def write(text):
    records_file().parent.mkdir(parents=True, exist_ok=True)
    records_file().write_bytes(text if isinstance(text, bytes) else text.encode())


def with_facts(serial="S1", **other):
    return json.dumps({"boards": {serial: {**asdict(RECORD), **other}}})


@pytest.mark.quick
def test_written_and_read():
    assert read_records() == {}
    assert write_record("S1", RECORD) == records_file()
    other = replace(RECORD, clock_mhz=54.0, next_clock_mhz=None, failed_clock_mhz=67.5)
    write_record("S2", other)
    write_record("S1", RECORD)
    assert read_records() == {"S1": RECORD, "S2": other}
    assert (RECORD.rate_factor, other.rate_factor) == (1.25, 1.0)
    assert [path.name for path in records_file().parent.iterdir()] == ["tuned.json"]


def test_facts_that_are_added_later_are_read_over():
    write(with_facts(volts=1.0))
    assert read_records() == {"S1": RECORD}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "{}", '{"boards": []}', '{"boards": {"S1": 3}}'),
        *('{"boards": {}, "boards": {}}', '{"boards": NaN}', b"\xff\xfe", b"\x00" * 1000),
        '{"boards": {"S1": ' + "[" * 1000 + "]" * 1000 + "}}",
        with_facts(serial=""),
        with_facts(serial="a\nb"),
        with_facts(serial="a" * 129),
        with_facts(clock_mhz=500.0),
        with_facts(clock_mhz="67.5"),
        with_facts(clock_mhz=True),
        with_facts(clock_mhz=-67.5),
        with_facts(clock_mhz=27.0),
        with_facts(built_clock_mhz=81.0),
        with_facts(next_clock_mhz=[]),
        with_facts(board="../x"),
        with_facts(board=[]),
        with_facts(bitstream_sha256="A" * 64),
        with_facts(tokens=0),
        with_facts(tokens=1.5),
        with_facts(warmth="a\x1b[2J"),
        with_facts(warmth="a" * 201),
        with_facts(date="tomorrow"),
        with_facts(date=None),
        " " * (MAX_BYTES + 1),
        json.dumps({"boards": {str(i): asdict(RECORD) for i in range(1001)}}),
    ],
    ids=range(33),
)
def test_hostile_files(text):
    write(text)
    with pytest.raises(InputError) as caught:
        read_records()
    line = str(caught.value)
    assert line.endswith("remove it and run glintfpga tune") and len(line) < 600
    assert line.isprintable()
    before = records_file().read_bytes()
    with pytest.raises(InputError):
        write_record("S1", RECORD)
    assert records_file().read_bytes() == before


def test_a_folder_in_its_place():
    records_file().mkdir(parents=True)
    with pytest.raises(InputError, match="Is a directory"):
        read_records()


def test_no_place_for_it(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises((EnvironmentProblem, InputError)):
        write_record("S1", RECORD)
