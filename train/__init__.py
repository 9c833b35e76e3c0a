# SPDX-License-Identifier: MIT
"""Training of blink models on a CPU, from text to a released checkpoint.

`infer` is the whole model in plain NumPy, the file that ships beside every release: begin there.
Then ``data`` (text with its origin, and the gate before a training), ``engine`` (loss and
gradients), ``optimizer``, ``run`` (a training as a folder with replicas in processes), ``merge``
(merges of checkpoints) and ``release`` (the folder of a model, with its card).

Imports ``quant`` and ``firmware``. No other folder imports PyTorch, and this one only where the
fused kernel does not serve. ``release/`` also has the shipped models.
"""
