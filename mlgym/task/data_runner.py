"""Calls a task's `prepare` in a process of its own, under the image's interpreter.

Standard library only: mlgym is not installed there. Arguments: the data script, the profile, the
data seed, the public folder, the private folder.
"""

import importlib.util
import os
import sys
import threading
from pathlib import Path


def end_with_parent() -> None:
    """End when standard input does: the host holds the other end and writes nothing."""
    os.read(0, 1)
    os._exit(1)


def main(script: str, profile: str, data_seed: str, public: str, private: str) -> None:
    sys.path.insert(0, str(Path(script).parent))
    spec = importlib.util.spec_from_file_location("task_data", script)
    if spec is None or spec.loader is None:
        sys.exit(f"{script}: is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    prepare = getattr(module, "prepare", None)
    if prepare is None:
        sys.exit(f"{script}: found no function prepare(profile, data_seed, public, private)")
    prepare(profile, int(data_seed), Path(public), Path(private))


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    main(*sys.argv[1:])
