"""A program that keeps the contract of a run without training anything: it counts steps, as `config.json` says.

config: steps; seconds a step; die (how: "raise", "exit", "deaf", "chatty", "oom") at step `at`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

run = Path(sys.argv[sys.argv.index("--run") + 1])
told = json.loads((run / "config.json").read_text())["config"]
how, at = told.get("die", ""), told.get("at", 3)


def whole(name: str, text: str) -> None:
    part = run / f"{name}.part"
    part.write_text(text)
    part.replace(run / name)


def event(kind: str, **values: object) -> None:
    with (run / "events.jsonl").open("a") as file:
        file.write(json.dumps({"event": kind, "step": step, "seconds": 0.0, **values}) + "\n")


def read_request() -> str:
    return (run / "stop").read_text() if (run / "stop").exists() and how != "deaf" else ""


def end(state: str, cause: str = "") -> None:
    event("end", state=state, cause=cause)
    (run / "stop").unlink(missing_ok=True)
    sys.exit(0)


resume = run / "resume.safetensors"
step = json.loads(resume.read_text())["step"] if resume.exists() else 0
event("begin", resumed=step > 0, threads=os.environ.get("OMP_NUM_THREADS"), nice=os.nice(0))
while step < told["steps"]:
    if word := read_request():
        whole("resume.safetensors", json.dumps({"step": step}))
        if word == "save":
            whole("run.safetensors", json.dumps({"step": step}))
        end("stopped", f"asked to {word}")
    time.sleep(told.get("pause", 0.002))
    step += 1
    event("step", loss=1 / step)
    whole("resume.safetensors", json.dumps({"step": step}))
    if how and step == at:
        if how == "raise":
            raise ValueError("the batch is empty")
        if how == "chatty":
            for _ in range(100):
                print("x" * 2**20)
        if how == "oom":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "family" and os.fork() == 0:
            time.sleep(600)
whole("run.safetensors", json.dumps({"step": step}))
end("finished")
