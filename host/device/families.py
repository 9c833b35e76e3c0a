# SPDX-License-Identifier: MIT
"""What a hello tells of machine and model, family by family. So far there is one."""

from glintfpga.firmware.blink.image_format import (
    HEADER_BYTES,
    is_for_chat,
    model_id_of,
    vocab_of,
)
from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.protocol import BAUDS, HelloFlag, SelfTest
from glintfpga.quant.errors import DeviceError

__all__ = ["Machine", "check_info", "is_for_chat", "machine_of", "model_id_of", "vocab_of"]

Machine = RowFacts
"""A machine as it was built, of any kind that there is."""


def machine_of(info: HelloInfo) -> Machine:
    """The machine of a hello that `check_info` has passed."""
    return RowFacts.of(info)


def check_info(info: HelloInfo, name: str) -> None:
    """Raise ``DeviceError`` when a device reports what none of this version has."""
    update = "flash the bitstream of this release: glintfpga flash"
    try:
        facts = RowFacts.of(info)
    except DeviceError as error:
        raise DeviceError(f"the device at {name!r} says {error}; {update}") from None
    checks = [
        ("self-test", info.self_test, tuple(SelfTest)),
        ("rate", info.baud_index, range(len(BAUDS))),
    ]
    if info.flags & HelloFlag.MODEL:
        vocab = vocab_of(info.image_header)
        checks += [
            ("image's header", len(info.image_header), (HEADER_BYTES,)),
            ("vocabulary", vocab, range(2, facts.limits.vocab + 1)),
        ]
    for what, value, known in checks:
        if value not in known:
            raise DeviceError(f"the device at {name!r} says {value} for its {what}; {update}")
