# SPDX-License-Identifier: MIT
"""What every command does before it talks to a device."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.host.console.progress import counting
from glintfpga.host.device.client import Client
from glintfpga.host.device.link import Link
from glintfpga.host.models import image_of
from glintfpga.host.ports.open_port import FLOAT, REFERENCE, choose_port, port_opener
from glintfpga.quant.blink.limits import DEFAULT_LANES, check_fits
from glintfpga.quant.errors import InputError

__all__ = ["Connection", "has_image", "load", "open_connection"]

_log = logging.getLogger("glintfpga")


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A connected device and the image it was asked to hold, if any."""

    client: Client
    image: Image | None


@contextlib.contextmanager
def open_connection(
    port: str | None, *, model: Path | None = None, lanes: int | None = None, fast: bool = True
) -> Iterator[Connection]:
    """Open the port, greet the device, go to the fastest rate, and load ``model`` if given.

    ``lanes`` are those of the device that ``ref:`` imitates; raises ``InputError`` when they are
    given for another one.
    """
    name = choose_port(port)
    if lanes is not None and name != REFERENCE:
        own = "computes without lanes" if name == FLOAT else "has the lanes it was built with"
        raise InputError(
            f"--lanes has no effect here: {name} {own}; leave it out, or use the port {REFERENCE}"
        )
    opener = port_opener(name, model=model, lanes=lanes or DEFAULT_LANES)
    with contextlib.ExitStack() as stack:
        with counting(f"connecting to {name!r}"):
            client = stack.enter_context(Client(Link(opener=opener)))
            client.connect()
            machine = client.machine
            _log.debug("%s: %d lanes, %d-bit numbers", name, machine.lanes, machine.plan.code)
            if fast:
                client.fastest(BAUDS[-1])
        image = None
        if model is not None:
            image = image_of(model, plan=client.machine.plan.code)
            if not has_image(client, image):
                load(client, image)
        yield Connection(client=client, image=image)


def load(client: Client, image: Image) -> None:
    """Load an image, with progress. Raises ``InputError`` for one that the device cannot hold."""
    check_fits(image.model.spec, client.machine.limits)
    with counting("loading the model", len(image.data)) as progress:
        client.load(image.data, progress=progress)


def has_image(client: Client, image: Image) -> bool:
    """Whether the device's hello reports this image."""
    return client.has_model and client.model_id == image.model_id
