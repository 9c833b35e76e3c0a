# SPDX-License-Identifier: MIT
"""Runs a command line as on Windows, as far as that can be played: as_windows.py SCENE ARGUMENT...

No POSIX modules, calls or signals; COM ports with pyserial's Windows errors and a software device
behind COM5 and COM12; a stdout in code page 1252 that turns newlines into two bytes; every file
opened without an encoding is an error. SCENE says what happens: see `SCENES`.
"""

import errno
import importlib
import io
import os
import pathlib
import pkgutil
import signal
import sys
import warnings

import numpy  # noqa: F401  (it and pyserial need POSIX here, ours must not)
import serial
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

MODULES = ("termios", "tty", "pty", "fcntl", "resource", "grp", "pwd", "readline", "syslog")
CALLS = (
    *("fork", "forkpty", "openpty", "ttyname", "set_blocking", "getuid", "geteuid", "getgid"),
    *("getgroups", "setsid", "mkfifo", "chown", "killpg", "sched_getaffinity"),
)
SIGNALS = ("SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "SIGCHLD", "pthread_sigmask")


class ComPort:
    """What pyserial offers on Windows, around a software device."""

    def __init__(self, name, scene):
        self.name, self.scene = name, scene
        self.reads = 0

    def open(self):
        if self.name == "COM3":
            error = PermissionError(errno.EACCES, "Access is denied.")
        elif self.name in ("COM5", "\\\\.\\COM12"):
            from glintfpga.firmware.blink.software import open_software_line
            from glintfpga.host.models import image_of

            self.behind = open_software_line("ref", image=image_of(None).data)
            return
        else:
            error = FileNotFoundError(errno.ENOENT, "The system cannot find the file specified.")
        raise serial.SerialException(f"could not open port {self.name!r}: {error!r}")

    @property
    def in_waiting(self):
        return 0

    def read(self, size):
        self.reads += 1
        if self.scene == "interrupted" and self.reads == 40:
            raise KeyboardInterrupt
        if self.scene == "unplugged" and self.reads == 40:
            error = PermissionError(errno.EACCES, "The device does not recognize the command.")
            raise serial.SerialException(f"ClearCommError failed ({error!r})")
        return self.behind.read(size, 0.02)

    def write(self, data):
        self.behind.write(data)

    def flush(self):
        pass

    def close(self):
        self.behind.close()


class Console(io.TextIOWrapper):
    def isatty(self):
        return True


def refuse(*arguments, **options):
    raise PermissionError(errno.EACCES, "The process cannot access the file, it is being used")


def no_signals(*arguments):
    raise ValueError("signal only works in main thread of the main interpreter")


def import_all():
    for folder in ("host", "firmware", "quant", "boards"):
        package = importlib.import_module(f"glintfpga.{folder}")
        for module in pkgutil.walk_packages(package.__path__, f"glintfpga.{folder}."):
            importlib.import_module(module.name)


SCENES = {
    "plain": lambda: None,
    "import all": import_all,
    "unplugged": lambda: None,
    "interrupted": lambda: setattr(signal, "signal", no_signals),
    "replace": lambda: setattr(pathlib.Path, "replace", refuse),
    "console": lambda: None,
}


def info(device, interface):
    port = ListPortInfo(device)
    port.vid, port.pid, port.serial_number = 0x0403, 0x6010, "2025030317"
    port.location = f"1-2:x.{interface}"
    return port


def main():
    scene, *arguments = sys.argv[1:]
    for name in MODULES:
        sys.modules[name] = None
    for module, names in ((os, CALLS), (signal, SIGNALS)):
        for name in names:
            vars(module).pop(name, None)
    warnings.simplefilter("ignore", EncodingWarning)
    warnings.filterwarnings("error", category=EncodingWarning, module=r"glintfpga\.")
    serial.serial_for_url = lambda name, do_not_open: ComPort(name, scene)
    list_ports.comports = lambda: [info("COM4", 0), info("COM5", 1)]
    for name in ("stdout", "stderr"):
        kind = Console if (scene, name) == ("console", "stdout") else io.TextIOWrapper
        buffer = getattr(sys, name).detach()
        setattr(sys, name, kind(buffer, encoding="cp1252", newline="\r\n"))
    SCENES[scene]()
    from glintfpga.host.cli import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
