# SPDX-License-Identifier: MIT
import pytest

from glintfpga.boards.flash.failures import LIBRARIES, explain, library_step
from glintfpga.quant.errors import DeviceError, EnvironmentProblem, InputError

NOT_FOUND = (
    "unable to open ftdi device: -3 (device not found)\n"
    "JTAG init failed with: unable to open ftdi device"
)
NOT_OPENED = (
    "unable to open ftdi device: -4 (usb_open() failed)\n"
    "JTAG init failed with: unable to open ftdi device"
)
NOT_CLAIMED = (
    "unable to open ftdi device: -5 (unable to claim usb device. Make sure the default FTDI "
    "driver is not in use)\nJTAG init failed with: unable to open ftdi device"
)
NOT_CONFIGURED = (
    "unable to open ftdi device: -3 (unable to set usb configuration. Make sure the default FTDI "
    "driver is not in use)\nJTAG init failed with: unable to open ftdi device"
)
NOT_RESET = (
    "unable to open ftdi device: -6 (ftdi_usb_reset failed)\n"
    "JTAG init failed with: unable to open ftdi device"
)
WINDOWS_SCAN = (
    "Error: can't open device with vid:vid = 0x0403:0x6010. Error code -5 Entity not found"
)
GOOD_START = (
    "empty\nwrite to flash\nJtag frequency : requested 6.00MHz   -> real 6.00MHz\n"
    "found 1 devices\nindex 0:\n\tidcode 0x81b\n\tmanufacturer Gowin\n\tfamily GW2A\n"
    "Parse file Parse x.fs: \nDone\nDONE\n"
)

EVERYWHERE = [
    (NOT_FOUND, DeviceError, "no board found: plug it in with a cable that carries data"),
    (NOT_FOUND, DeviceError, "in WSL attach it with usbipd"),
    ("Error: no device found", DeviceError, "if it is plugged in, hold S2"),
    ("No cable found", DeviceError, "no board found"),
    ("fail to read data usb bulk read failed", DeviceError, "JTAG: hold S2"),
    ("JTAG init failed with: low level FTDI init failed", DeviceError, "JTAG: hold S2"),
    ("JTAG init failed with: Unknown device with IDCODE: 0xffffffff", DeviceError, "JTAG: hold S2"),
    (
        "JTAG init failed with: Unknown device with IDCODE: 0x00fa03fa (manufacturer: 0x1fd ()",
        DeviceError,
        "not this board's: unplug other boards",
    ),
    (
        GOOD_START + "Error: Failed to claim FPGA device: mismatch between target's idcode and "
        "bitstream idcode\n\tbitstream has 0x1100481B hardware requires 0x0000081b",
        DeviceError,
        "not this board's: unplug other boards",
    ),
    ("Error: more than one FPGA found\nUse --index-chain", DeviceError, "unplug other boards"),
    (GOOD_START + "ID Verify Failed\nCRC Error", DeviceError, "2024122312"),
    (GOOD_START + "CRC check : FAIL\nRead: 0x0000431b checksum: 0xb4bb", DeviceError, "2024122312"),
    (GOOD_START + "JEDEC ID: 0xffffff", DeviceError, "update_debugger.html"),
    (GOOD_START + "Error: Failed to program FPGA: Read ID failed", DeviceError, "2024122312"),
    (
        GOOD_START + "FAIL\nError: Can't erase flash: block protection is set\n"
        "       can't unlock without --unprotect-flash",
        DeviceError,
        "2024122312",
    ),
    (GOOD_START + "Verification failed at 0\nError: flash vefication", DeviceError, "2024122312"),
    (GOOD_START + "Error: write to flash failed", DeviceError, "2024122312"),
    (GOOD_START + "Error: fail to erase SRAM", DeviceError, "2024122312"),
    ("FsParser: truncated line in bitstream data", InputError, "is damaged: build it again"),
    ("Parse file FAIL\ncan't parse file", InputError, "is damaged: build it again"),
    ("Error: cannot find board 'tangnano20k'", EnvironmentProblem, "too old to know the board"),
    ("/lib/libc.so.6: version `GLIBC_2.38' not found", EnvironmentProblem, "your distribution"),
    ("[Errno 8] Exec format error: 'x/openFPGALoader'", EnvironmentProblem, "your distribution"),
    (
        "[Errno 2] No such file or directory: '/v/bin/openFPGALoader'",
        EnvironmentProblem,
        "does not run on this system",
    ),
    ("Something new", DeviceError, "failed with 'Something new': hold S2"),
    ("", DeviceError, "failed with 'no message': hold S2"),
]


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("output, kind, words", EVERYWHERE)
def test_everywhere(system, output, kind, words):
    check(explain(output, system), kind, words)


@pytest.mark.quick
@pytest.mark.parametrize(
    "system, output, kind, words",
    [
        ("linux", NOT_OPENED, EnvironmentProblem, "/etc/udev/rules.d/70-tangnano.rules"),
        ("linux", NOT_OPENED, EnvironmentProblem, 'ATTRS{idProduct}=="6010"'),
        ("linux", "LIBUSB_ERROR_ACCESS", EnvironmentProblem, "no permission"),
        ("linux", NOT_CLAIMED, DeviceError, "close it and try again"),
        ("linux", NOT_CONFIGURED, DeviceError, "close it and try again"),
        ("linux", NOT_RESET, DeviceError, "hold S2"),
        ("darwin", NOT_OPENED, DeviceError, "hold S2"),
        ("darwin", NOT_CLAIMED, DeviceError, "close it and try again"),
        ("win32", NOT_OPENED, EnvironmentProblem, "Zadig to give interface 0, and only that"),
        ("win32", NOT_CLAIMED, EnvironmentProblem, "Zadig"),
        ("win32", NOT_CONFIGURED, EnvironmentProblem, "Zadig"),
        ("win32", NOT_RESET, EnvironmentProblem, "Zadig"),
        ("win32", WINDOWS_SCAN, EnvironmentProblem, "Zadig"),
        ("win32", "LIBUSB_ERROR_NOT_SUPPORTED", EnvironmentProblem, "Zadig"),
        ("win32", "exit status 3221225781", EnvironmentProblem, "MSYS2"),
        (
            "win32",
            "[WinError 193] %1 is not a valid Win32 application",
            EnvironmentProblem,
            "does not run on this system",
        ),
        (
            "linux",
            "openFPGALoader: error while loading shared libraries: libftdi1.so.2: cannot open",
            EnvironmentProblem,
            "sudo apt install libftdi1-2 libusb-1.0-0 libudev1",
        ),
        (
            "darwin",
            "dyld[1]: Library not loaded: /opt/homebrew/opt/libftdi/lib/libftdi1.2.dylib",
            EnvironmentProblem,
            "brew install libftdi libusb",
        ),
    ],
)
def test_systems_differ(system, output, kind, words):
    check(explain(output, system), kind, words)


def check(error, kind, words):
    message = str(error)
    assert type(error) is kind
    assert words in message
    assert "\n" not in message
    assert "unprotect" not in message


@pytest.mark.parametrize("system", LIBRARIES)
def test_how_to_get_libraries(system):
    packages = list(LIBRARIES[system].values())
    step = library_step(packages, system)
    assert ": " not in step  # it follows a colon
    assert {"linux": "sudo apt", "darwin": "brew", "win32": "MSYS2"}[system] in step
