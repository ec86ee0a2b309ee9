"""What a million people cost: memory, growth, import, starting; and what nobody costs: an idle daemon."""
from measure.kit import *

SIZES = [MILLION // 100, MILLION // 10, MILLION]
SIZE_NAMES = ["10k", "100k", "1m"]
MILLION_ROUNDS = int(os.environ.get("RB_BENCH_MILLION_ROUNDS", "3"))
SHUFFLED_ROUNDS = min(ROUNDS, 3)  # they take long
START_ROUNDS = 15
IDLE_SECONDS = int(os.environ.get("RB_BENCH_IDLE", "10" if QUICK else "60"))

kept = {}  # houses by what they are for: to fill one with a million takes time


def house_of(name, people, sink=None):
    if name not in kept:
        kept[name] = build_house(name, sink, people)
    return kept[name]


# ---- import ----

def sqlite_import(file, people):
    """The sqlite3 shell, one flat table."""
    shell, path = program("sqlite3"), os.path.join(FOLDER, "flat.db")
    if not shell:
        raise Missing("sqlite3 is not installed")
    for old in glob.glob(path + "*"):
        os.remove(old)
    create = "CREATE TABLE people (email TEXT NOT NULL UNIQUE, first TEXT, last TEXT, language TEXT);"
    used = run_child([shell, "-bail", path, create, f".import --csv --skip 1 {file} people"])
    count = subprocess.run([shell, path, "SELECT count(*) FROM people"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    equal(count.stdout.strip(), str(people), "rows of the flat table")
    os.remove(path)
    return used


def file_cache_kib(house):
    """How much of the store's files the system keeps in memory; 0 where fincore is missing."""
    if not program("fincore"):
        return 0
    done = subprocess.run(["fincore", "-b", "-n", "-r", "-o", "RES", *glob.glob(house.path("state", "store.db*"))],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return sum(int(word) for word in done.stdout.split()) // 1024


def our_import(house, file):
    """The daemon's processor time and that of the command."""
    pid = house.daemon.pid
    resting, before = memory_kib(pid, "VmRSS"), cpu_usec(pid)["all"]
    used = run_child([os.path.join(BUILD, "rundbrief"), "--config", house.config_path, "import", "workshops", file, "--basis", "consent",
                      "--evidence", "test"])
    used["cpu_usec"] += cpu_usec(pid)["all"] - before
    time.sleep(1)
    return {**used, "rss_kib_before": resting, "rss_kib_peak": memory_kib(pid), "rss_kib_after": memory_kib(pid, "VmRSS"),
            "file_cache_kib": file_cache_kib(house)}


def measure_import(figures):
    """For each order of the addresses, rounds of: sqlite3, a new house's import. The last house stays for the other parts."""
    log(f"\nimport of {MILLION:,} rows")
    figures["import"] = {"rows": MILLION}
    for order, rounds in (("sorted", ROUNDS), ("shuffled", SHUFFLED_ROUNDS)):
        file = people_csv(MILLION, order)
        ours, theirs = [], []
        for _ in range(rounds):
            if "million" in kept:
                kept.pop("million").stop()
            try:
                theirs.append(sqlite_import(file, MILLION))
            except Missing as why:
                log(f"{why}: no ratio")
            kept["million"] = build_house("million")
            ours.append(our_import(kept["million"], file))
        m = figures["import"][order] = {**medians(ours), "rounds": ours}
        log(f"    {order}, {rounds} rounds\n    {'':9} rundbrief {m['seconds']:6.2f} s, CPU {m['cpu_usec'] / 1e6:.2f} s; RSS {m['rss_kib_before']:,.0f} KiB before, "
            f"{m['rss_kib_peak']:,.0f} at most, {m['rss_kib_after']:,.0f} a second after")
        if theirs:
            m["sqlite3"] = {**medians(theirs), "rounds": theirs}
            m["ratio_to_sqlite3"] = ratios(ours, theirs, "seconds")["median"]
            m["cpu_ratio_to_sqlite3"] = ratios(ours, theirs, "cpu_usec")["median"]
            log(f"    {'':9} sqlite3   {m['sqlite3']['seconds']:6.2f} s, CPU {m['sqlite3']['cpu_usec'] / 1e6:.2f} s; rundbrief takes "
                f"{show_spread(ratios(ours, theirs, 'seconds'))} of the time, {show_spread(ratios(ours, theirs, 'cpu_usec'))} of the CPU")


# ---- starting ----

def start_seconds(house):
    """From its start until it says that it is ready, in the manner of sd_notify(3)."""
    path = house.path("notify.sock")
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(60)
        begin = time.monotonic()
        house.start(wait=False, env={**os.environ, "NOTIFY_SOCKET": path})
        while b"READY=1" not in s.recv(4096):
            pass
        return time.monotonic() - begin


def measure_startup(figures):
    log(f"\nstarting, {START_ROUNDS} rounds")
    houses = {"empty": house_of("empty", 0), "million": house_of("million", MILLION)}
    seconds = {name: [] for name in houses}
    for _ in range(START_ROUNDS):
        for name, house in houses.items():
            house.stop_daemon()
            seconds[name].append(start_seconds(house))
    m = {name: statistics.median(some) * 1000 for name, some in seconds.items()}
    figures["startup"] = {"empty_msec": m["empty"], "million_msec": m["million"], "people": MILLION, "slower_msec": m["million"] - m["empty"],
                          "ratio": m["million"] / m["empty"], "rounds": seconds}
    log(f"    with nobody {m['empty']:.1f} ms, with {MILLION:,} people {m['million']:.1f} ms")


# ---- memory and growth ----

def measure_memory(figures, growth=True, memory=True):
    """First announcements, then rounds of second ones, to each of the sizes."""
    sink = bench_sink("scale", OFFERS["chunking"])
    names = ["ten", "hundred", "million"]
    rounds = {name: [] for name in names}
    peaks, first = {}, {}
    log(f"\nmemory and growth: {', '.join(f'{n:,}' for n in SIZES)} people")
    for name, people, label in zip(names, SIZES, SIZE_NAMES):
        # One that lives with the relay of this part from its start, so that its peak is that of a whole life.
        with contextlib.suppress(KeyError):
            house = kept.pop(name)
            house.stop_daemon()
            house.relay("main", url=sink.url(), tls="none", connections=CONNECTIONS)
            house.start()
            kept[name] = house
        house = house_of(name, people, sink)
        first[name] = announce(house, sink, people)
    for i in range(max(ROUNDS, MILLION_ROUNDS) if growth else 1):
        for name, people in zip(names, SIZES):
            if i < (MILLION_ROUNDS if name == "million" else ROUNDS):
                rounds[name].append(announce(kept[name], sink, people))
    for name, people, label in zip(names, SIZES, SIZE_NAMES):
        peaks[label] = memory_kib(kept[name].daemon.pid)
    if memory:
        importing = max((figures["import"][order]["rss_kib_peak"] for order in ("sorted", "shuffled")), default=0) if "import" in figures else 0
        figures["memory"] = {f"peak_kib_{label}": max(peak, importing if label == "1m" else 0) for label, peak in peaks.items()}
        figures["memory"].update(people_1m=MILLION, ratio=figures["memory"]["peak_kib_1m"] / figures["memory"]["peak_kib_10k"],
                                 sending_kib=peaks)
        log("    peak of memory in a whole life, import and announcements: " +
            ", ".join(f"{n:,} people {figures['memory'][f'peak_kib_{label}']:,.0f} KiB" for n, label in zip(SIZES, SIZE_NAMES)))
    if growth:
        cpu = [statistics.median(r["cpu_usec_per_message"] for r in rounds[name]) * people for name, people in zip(names, SIZES)]
        low, high = [(cpu[i + 1] - cpu[i]) / (SIZES[i + 1] - SIZES[i]) for i in (0, 1)]
        figures["growth"] = {"slope_low_usec": low, "slope_high_usec": high, "ratio": high / low, "people": SIZES,
                             "cpu_usec": cpu, "cpu_usec_per_message": {name: medians(some)["cpu_usec_per_message"] for name, some in rounds.items()},
                             "first": {name: r["cpu_usec_per_message"] for name, r in first.items()}}
        log(f"    CPU for each further message: {low:.2f} µs from {SIZES[0]:,} to {SIZES[1]:,}, {high:.2f} µs to {SIZES[2]:,}: "
            f"{high / low:.2f} times")
    sink.process.end()


def measure_growth(figures):
    measure_memory(figures)


# ---- idle ----

def measure_idle(figures):
    """System calls of a daemon that has sent something and has nothing to do, as strace sees them."""
    if not program("strace"):
        log("\nidle: strace is not installed")
        return
    sink = bench_sink("idle", OFFERS["chunking"])
    house = build_house("idle", sink, 1000)
    announce(house, sink, 1000)
    begin = time.monotonic()
    until("its connections are closed", lambda: sink.counts()["open"] == 0, 120, 0.5)
    open_for = time.monotonic() - begin
    time.sleep(3)
    trace = house.path("strace")
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", trace, "-p", str(house.daemon.pid)], stdin=subprocess.DEVNULL)
    time.sleep(IDLE_SECONDS)
    tracer.send_signal(signal.SIGINT)
    tracer.wait(10)
    with open(trace) as f:
        # What it waits in when it is looked at, and again when it is let go, is no call.
        calls = [line for line in f if "unfinished" not in line and "detached" not in line and "restart" not in line]
    house.stop()
    sink.process.end()
    figures["idle"] = {"system_calls": len(calls), "seconds": IDLE_SECONDS, "first": calls[:10]}
    log(f"\nidle: {len(calls)} system calls in {IDLE_SECONDS} s (its connections were kept for {open_for:.0f} s)")
    for call in calls[:10]:
        log("    " + call.rstrip())
