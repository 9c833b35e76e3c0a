# SPDX-License-Identifier: MIT
"""A training: a folder, its stages, and replicas side by side in processes.

Read in this order: `config` says what is trained, `presets` has the settings of known shapes; `run`
leads a training from stage to stage; `worker` is one of its processes, `replica` what it trains and
saves. `scoring` measures parameters, `throughput` the machine; `run_log` and `model_files` are the
files; `finetune` trains on from a model.

Imports ``train.data``, ``train.engine``, ``train.optimizer`` and ``quant``.
"""
