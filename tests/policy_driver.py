"""Runs in a sandbox: grades many policies by one referee, which takes seconds to import.

`python policy_driver.py` reads `cases.json` (name -> file name -> text) and prints, as its last
line, what came of each: the metrics, or the words with which it was refused. The players are
processes of their own, as in a grading; only the host's relay is played here.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

KIT = "/opt/mlgym/kit"
sys.path[:0] = [KIT, "/grader"]

import grade  # noqa: E402
import mlgym_kit as kit  # noqa: E402
from mlgym_kit_referee import Player  # noqa: E402


class Relay:
    def __init__(self, process):
        self.pipe = kit.Pipe(process.stdout.fileno(), process.stdin.fileno())
        self.pipe.receive()  # that it is ready

    def send(self, header, body):
        self.pipe.send(header, body)

    def receive(self):
        said, data = self.pipe.receive()
        text = json.dumps(said).encode()
        return {"header_size": len(text)}, text + data


def outcome(files):
    shutil.rmtree("weights", ignore_errors=True)
    for name, text in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    command = [sys.executable, "-P", "-s", f"{KIT}/mlgym_kit.py", "player"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        player = Player(Relay(process))
        try:
            return grade.grade(player, Path("/answers"), "test", np.random.default_rng(0))
        except kit.SubmissionError as error:
            return str(error)
        finally:
            process.kill()


cases = json.loads(Path("cases.json").read_text())
print(json.dumps({name: outcome(files) for name, files in cases.items()}))
