"""What is to be reached: one row for each figure, judged in one place."""
from measure.kit import log

AT_MOST, AT_LEAST = "at most", "at least"
TARGETS = (
    # path in bench.json, how, how much, what it is
    ("engine.pipelining.cpu_ratio_to_smtp_source", AT_MOST, 0.45, "CPU for each message by the generator's, PIPELINING"),
    ("engine.chunking.cpu_ratio_to_smtp_source", AT_MOST, 0.30, "CPU for each message by the generator's, CHUNKING"),
    ("engine.pipelining.first.cpu_ratio_to_smtp_source", AT_MOST, 1.3, "  the first announcement, PIPELINING"),
    ("engine.chunking.first.cpu_ratio_to_smtp_source", AT_MOST, 1.3, "  the first announcement, CHUNKING"),
    ("engine.pipelining.ratio_to_smtp_source", AT_LEAST, 1.0, "messages a second by the generator's, PIPELINING"),
    ("engine.chunking.ratio_to_smtp_source", AT_LEAST, 1.5, "messages a second by the generator's, CHUNKING"),
    ("latency.pipelining.per_connection", AT_LEAST, 45, "messages a second and connection 20 ms away, PIPELINING"),
    ("latency.chunking.per_connection", AT_LEAST, 170, "messages a second and connection 20 ms away, CHUNKING"),
    ("memory.peak_kib_1m", AT_MOST, 48 * 1024, "KiB of memory at most"),
    ("memory.ratio", AT_MOST, 1.2, "  by that of a hundredth of the people"),
    ("growth.ratio", AT_MOST, 1.1, "CPU for each further message, above by below a tenth"),
    ("import.sorted.ratio_to_sqlite3", AT_MOST, 1.0, "time of an import by that of sqlite3's .import, sorted"),
    ("import.shuffled.ratio_to_sqlite3", AT_MOST, 1.0, "  in another order"),
    ("startup.slower_msec", AT_MOST, None, "ms that a start is slower with many people"),
    ("door.clicks.per_second", AT_LEAST, 2000, "durable opt-outs a second at the web door"),
    ("idle.system_calls", AT_MOST, 0, "system calls of an idle daemon"),
)


def look_up(figures, path):
    for key in path.split("."):
        figures = figures.get(key) if isinstance(figures, dict) else None
    return figures


def judge(figures):
    """Says which are reached, and keeps it with the figures."""
    figures["targets"] = {}
    rows = []
    for path, how, limit, what in TARGETS:
        value = look_up(figures, path)
        if value is None:
            continue
        if limit is None:  # 20 % or 5 ms
            limit = max(5, 0.2 * figures["startup"]["empty_msec"])
        reached = value <= limit if how == AT_MOST else value >= limit
        figures["targets"][path] = {"value": value, how.replace(" ", "_"): limit, "reached": reached}
        rows.append(f"{what:58}{value:12,.2f}   {how:8} {limit:10,.2f}   {'reached' if reached else 'NOT REACHED'}")
    if rows:
        log("\n" + f"{'':58}{'measured':>12}   target")
        log("\n".join(rows))
