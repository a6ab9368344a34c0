"""The benchmarks of thin-merge: see ../README.md."""
