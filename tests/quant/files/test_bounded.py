# SPDX-License-Identifier: MIT
import io

import pytest

from glintfpga.quant.errors import InputError
from glintfpga.quant.files.bounded import read_head, read_limited, read_stream

MIB = 1 << 20


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB])
def test_reads_what_is_there_up_to_the_limit(tmp_path, size):
    data = bytes(range(251)) * (size // 251 + 1)
    (tmp_path / "a").write_bytes(data[:size])
    assert read_limited(tmp_path / "a", 3 * MIB) == data[:size]
    assert read_limited(str(tmp_path / "a"), size) == data[:size]
    assert read_head(tmp_path / "a", 1000) == data[: min(size, 1000)]
    if size:
        with pytest.raises(InputError, match="^the model '.*a' is larger than .*; name another$"):
            read_limited(tmp_path / "a", size - 1, "the model")


@pytest.mark.quick
def test_streams_that_give_little_at_a_time():
    class Drip(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 3))

    assert read_stream(Drip(b"0123456789"), 10, "the prompt") == b"0123456789"
    with pytest.raises(InputError, match="^the prompt is larger than 9 bytes; name another$"):
        read_stream(Drip(b"0123456789"), 9, "the prompt")
    with pytest.raises(InputError, match="^the prompt is larger than 1 MiB"):
        read_stream(io.BytesIO(bytes(MIB + 1)), MIB, "the prompt")


@pytest.mark.parametrize(
    "name, reason", [("none", "No such file"), ("a\0b", "null"), (".", ""), ("x" * 300, "too long")]
)
def test_what_cannot_be_read_is_named(tmp_path, name, reason):
    with pytest.raises(InputError, match=f"^cannot read the list '.*: .*{reason}"):
        read_limited(tmp_path / name, 10, "the list")
