"""llama.cpp's own HTTP server on loopback, from the wheel of `xllamacpp`, in a process of its own.

    python llama_server.py MODEL.gguf

prints its address and serves until its standard input ends.
"""

from __future__ import annotations

import sys

import xllamacpp


def main(path: str) -> None:
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {"smollm2"}
    params.n_ctx = 8192
    params.n_parallel = 1
    # So small a model rarely ends by itself.
    params.n_predict = 48
    # More threads wait for one another with all their might, and so for whoever else is at work.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.port = 0
    params.verbosity = 0
    # With it this model's template loses a line end, and the model its head.
    params.use_jinja = False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
