# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.device.software_line import SoftwareLine
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.frames import HelloReply
from glintfpga.quant.errors import DeviceError
from glintfpga.quant.numbers.sampler import Sampler
from support.models import hash_model

INFO = RowFacts().hello()


@pytest.fixture
def line():
    device = SoftwareDevice(model=hash_model(), load=None, sampler=Sampler(), info=INFO)
    return SoftwareLine(device, name="toy:")


def test_it_has_its_name_and_all_rates(line):
    assert line.name == "toy:"
    assert line.set_baud(3_000_000) and line.set_baud(12_345)


def test_read_times_out_and_cuts(line):
    assert line.read(10, 0.01) == b""
    host = Endpoint(Role.HOST)
    host.start_session(2, 0.0)
    line.write(host.poll(0.0))
    pieces = [line.read(100, 0.1) for _ in range(2)]
    whole = b"".join(pieces)
    assert [len(piece) for piece in pieces] == [100, len(whole) - 100]
    host.feed(whole, 0.0)
    assert host.open and whole == HelloReply(2, host.info).encode()
    assert host.info.image_header == hash_model().image_header


@pytest.mark.quick
def test_closed(line):
    line.close()
    line.close()
    for use in (lambda: line.read(1, 0.0), lambda: line.write(b"")):
        with pytest.raises(DeviceError, match="port of the software device is closed: open it"):
            use()
