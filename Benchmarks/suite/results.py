"""The files that the parts leave: what was measured, and of what; and what failed."""

import contextlib
import datetime
import json
import os
import subprocess
import time

from .tools import BENCHMARKS, REPOSITORY, BenchmarkError, Trixie, machine_facts, versions

FAILURES = "failures"
# The last results of each part, and what failed since: RESULTS.md is made of this file alone.
RECORDED = "recorded.json"


def commit():
    """The commit of the folder, with -dirty if something other than the report was changed since."""
    def git(*words):
        return subprocess.run(["git", "-C", REPOSITORY, *words], check=True, capture_output=True,
                              text=True).stdout.strip()

    try:
        changed = git("diff", "--name-only", "HEAD", "--", ".",
                      *(f":!Benchmarks/{name}" for name in ("RESULTS.md", "bounds.md", "answered.md", RECORDED)))
        return git("describe", "--always") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def made(work):
    return {"commit": commit(), "date": f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
            "machine": machine_facts(), "versions": versions(Trixie(work / "trixie"))}


def save(work, name, facts):
    path = work / "results" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"made": made(work), "facts": facts}, indent=1) + "\n")
    print(f"    kept: {path}", flush=True)


def load(folder=BENCHMARKS):
    """(facts by name, how they were made by name, errors by part), as recorded."""
    path = folder / RECORDED
    recorded = json.loads(path.read_text()) if path.exists() else {}
    failures = recorded.pop(FAILURES, {})
    return ({name: of["facts"] for name, of in recorded.items()},
            {name: of["made"] for name, of in recorded.items()}, failures)


def record(work, folder=BENCHMARKS):
    """Replaces in the recorded results those of the parts that have been measured in this work folder."""
    files = {path.stem: json.loads(path.read_text())
             for path in sorted((work / "results").glob("*.json"))}
    if old := [name for name, of in files.items() if name != FAILURES and "made" not in of]:
        raise BenchmarkError(f"results without commit and machine: {', '.join(old)}")
    if not files:
        return
    path = folder / RECORDED
    recorded = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(as_lines(dict(sorted({**recorded, **files}.items()))) + "\n")


def as_lines(value, depth=0):
    """JSON with a line for each run of each program, so that a difference shows what was measured again."""
    if not isinstance(value, dict) or depth > 3 or not value:
        return json.dumps(value, ensure_ascii=False)
    margin = " " * depth
    return "{\n" + ",\n".join(
        f"{margin} {json.dumps(key)}: " + (json.dumps(of, ensure_ascii=False) if key == "made"
                                          else as_lines(of, depth + 1))
        for key, of in value.items()) + f"\n{margin}}}"


class Attempts:
    """Parts of which one may fail and the others still run."""

    def __init__(self, work):
        self.path = work / "results" / f"{FAILURES}.json"
        self.failed = []

    @contextlib.contextmanager
    def attempt(self, part):
        """Prints an error instead of raising it, and notes it for the report until the part succeeds."""
        failures = json.loads(self.path.read_text()) if self.path.exists() else {}
        failures.pop(part, None)
        os.sync()
        begun, measured = time.monotonic(), commit()
        try:
            yield
            if commit() != measured:
                raise BenchmarkError(f"the sources changed meanwhile: {measured} is {commit()} now")
        except Exception as error:  # Whatever it is, the other parts are worth having.
            error = error if isinstance(error, BenchmarkError) else repr(error)
            print(f"bench: error: {part}: {error}", flush=True)
            self.failed.append(part)
            failures[part] = {"commit": commit(), "error": str(error)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(failures, indent=1) + "\n")
        print(f"{part}: {time.monotonic() - begun:.0f} s", flush=True)
