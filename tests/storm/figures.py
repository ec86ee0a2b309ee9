"""Figures of the storm: build/storm.json, to which each part adds its own, and tables for people."""
import contextlib
import fcntl
import json
import os

from rig import ROOT

PATH = os.path.join(ROOT, "build", "storm.json")


def keep(part, figures):
    """Puts the part's figures in the place of those of its last run."""
    with open(PATH + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        all_ = {}
        with contextlib.suppress(FileNotFoundError), open(PATH) as f:
            all_ = json.load(f)
        all_[part] = figures
        with open(PATH + ".tmp", "w") as f:
            json.dump(all_, f, indent=1)
            f.write("\n")
        os.rename(PATH + ".tmp", PATH)


def table(rows):
    """Prints dicts of the same keys as columns: text to the left, numbers to the right."""
    heads = list(rows[0])
    widths = [max(len(h), *(len(str(row[h])) for row in rows)) for h in heads]
    print("  ".join(h.ljust(w) if isinstance(rows[0][h], str) else h.rjust(w) for h, w in zip(heads, widths)))
    for row in rows:
        print("  ".join(row[h].ljust(w) if isinstance(row[h], str) else str(row[h]).rjust(w) for h, w in zip(heads, widths)))
