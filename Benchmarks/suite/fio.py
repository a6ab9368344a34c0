"""fio, and what it says that it did."""

import json

from .measure import run_measured
from .tools import need_tool


def run_fio(words, output_path):
    """A Run whose seconds are those of its longer job by its own clock, without start-up, and the bytes of
    both kinds: {"read": bytes, "write": bytes}."""
    run = run_measured([need_tool("fio", "fio"), "--output-format=json", *words], output_path)
    text = run.output.read_text()
    jobs = json.loads(text[text.index("{"):])["jobs"]
    run.seconds = max(job["job_runtime"] for job in jobs) / 1000
    return run, {kind: sum(job[kind]["io_bytes"] for job in jobs) for kind in ("read", "write")}
