"""What a batch of steps costs over Ray beside the same batch in this process.

    python examples/ray_overhead.py                     # a cluster of its own on this machine
    python examples/ray_overhead.py --address auto      # an existing one

Vectors of 64 environments are stepped by turns with `echo hi`: in this process, in one actor, in
two. A command that takes time hides what is measured here.
"""

from __future__ import annotations

import argparse
import statistics
import time
from contextlib import ExitStack

import mlgym
from mlgym.distributed import RayVectorEnv

TASK = "battle_of_sexes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--address", help="a Ray cluster's; default: one is started here")
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--actors", type=int, nargs="*", default=[1, 2])
    told = parser.parse_args()
    if told.address is None:
        import ray

        ray.init(
            num_cpus=max(told.actors),
            object_store_memory=80_000_000,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="warning",
        )
    kwargs = {"max_steps": 10**9}
    with ExitStack() as held:
        vectors = {
            "in this process": held.enter_context(
                mlgym.MLGymVectorEnv(TASK, told.num_envs, **kwargs)
            )
        }
        for count in told.actors:
            vectors[f"{count} actor{'s' * (count > 1)}"] = held.enter_context(
                RayVectorEnv(
                    TASK,
                    told.num_envs,
                    num_actors=count,
                    cpus_per_actor=0.5,
                    address=told.address,
                    **kwargs,
                )
            )
        took: dict[str, list[float]] = {name: [] for name in vectors}
        worked: dict[str, list[float]] = {name: [] for name in vectors}
        for envs in vectors.values():
            envs.reset(seed=0)
        for number in range(told.rounds + 3):
            for name, envs in vectors.items():
                began, busy = time.perf_counter(), time.process_time()
                texts = envs.step(["echo hi"] * told.num_envs)[0]
                seconds, cpu = time.perf_counter() - began, time.process_time() - busy
                if set(texts) != {"hi\n"}:
                    raise SystemExit(f"{name}: {set(texts)}")
                if number >= 3:  # the first ones warm up
                    took[name].append(seconds)
                    worked[name].append(cpu)
    base = statistics.median(took["in this process"])
    print(f"{told.num_envs} environments, medians of {told.rounds} batches; CPU: of this process")
    for name, found in took.items():
        middle, cpu = statistics.median(found), statistics.median(worked[name])
        print(
            f"{name.ljust(16)} {1000 * middle:6.2f} ms a batch{told.num_envs / middle:7.0f} steps/s"
            f"  {middle / base:5.2f} x  {1000 * (middle - base):+6.2f} ms  CPU {1000 * cpu:6.2f} ms"
        )


if __name__ == "__main__":
    main()
