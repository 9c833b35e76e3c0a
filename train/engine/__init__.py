# SPDX-License-Identifier: MIT
"""Loss and gradients of a model over a batch, in two forms that agree.

Read in this order: `shape` says which models there are; `model` is the network in PyTorch;
`parameters` makes one vector of its weights; `eager` is a training step in PyTorch. `kernel` is the
same step fused in C++ (``kernel.cpp`` and its headers), compiled per shape by `kernel_build`.
`range_penalty` keeps values inside their formats, `choice` picks kernel or PyTorch, `threads` sets
how many threads each process uses.

Imports ``quant``; PyTorch only in `model`, `eager` and where `choice` needs them.
"""
