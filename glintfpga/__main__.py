# SPDX-License-Identifier: MIT
"""``python -m glintfpga``: the command, where no folder of scripts is on the PATH.

The package is a namespace: this is the only file of its own folder, which has no __init__.py.
"""

from glintfpga.host.cli import main

if __name__ == "__main__":  # a worker of a training imports it under another name
    main()
