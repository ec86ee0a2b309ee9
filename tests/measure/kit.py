"""What all parts of the bench share: parameters, processor time, houses to measure in, the generator, medians and lines of the table."""
import http.client
import os
import platform
import resource
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import *

QUICK = os.environ.get("RB_BENCH_QUICK", "") not in ("", "0")
ROUNDS = int(os.environ.get("RB_BENCH_ROUNDS", "3" if QUICK else "5"))
N = int(os.environ.get("RB_BENCH_N", "10000" if QUICK else "20000"))
MILLION = int(os.environ.get("RB_BENCH_MILLION", "100000" if QUICK else "1000000"))
CONNECTIONS = int(os.environ.get("RB_BENCH_CONNECTIONS", "10"))
OFFERS = {"pipelining": "PIPELINING,8BITMIME,SIZE 31457280", "chunking": "PIPELINING,CHUNKING,8BITMIME,SIZE 31457280"}
PARAGRAPH = ("Ein Wunsch fiel dabei immer wieder: mehr Klarheit über Fördermittel. Darum laden wir Sie zum nächsten Workshop ein, bei dem "
             "Beispiele aus der Praxis vorgestellt werden.")
FOLDER = os.path.join(ROOT, "build", "flow", "bench")
SENDER, RECIPIENT = "sender@relay.test", "recipient@subscribers.example"


class Missing(Exception):
    """Something that is measured against is not installed."""


def log(*words):
    print(*words, flush=True)


# ---- processor time and memory ----

def cpu_usec(pid):
    """{"all", "loop", "store"}: microseconds of a process so far, user and system, and of the daemon's two threads."""
    every = time.clock_gettime_ns(~pid << 3 | 2) // 1000  # the process's clock: clock_getcpuclockid(3)
    store = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm") as f:
            if f.read().strip() == "store":
                with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                    store += int(f.read().split()[0]) // 1000
    return {"all": every, "loop": every - store, "store": store}


def memory_kib(pid, what="VmHWM"):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(what + r":\s+(\d+)", f.read())[1])


def run_child(command, end_usec=None, **options):
    """What a program took: its processor time and that of its children, and seconds until its end (or end_usec(), CLOCK_MONOTONIC)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    seconds = time.monotonic() - begin
    check(done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stdout.decode(errors='replace')[-2000:]}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if end_usec:
        seconds = end_usec() / 1e6 - begin
    return {"cpu_usec": (used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime) * 1e6, "seconds": seconds}


# ---- medians ----

def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def medians(rounds):
    """Of a list of dicts of numbers: the median of each."""
    return {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}


def ratios(rounds, bases, key):
    """Each round's figure by that of the base of the same round, as a spread."""
    return spread([r[key] / base[key] for r, base in zip(rounds, bases)])


def show_spread(s, digits=2):
    return f"{s['median']:.{digits}f} ({s['min']:.{digits}f}..{s['max']:.{digits}f})"


# ---- houses ----

def bench_sink(name, ehlo, *arguments):
    """A sink that only counts."""
    sink = Sink(FOLDER, "--count", "--ehlo", ehlo, *arguments, name=name, keep=False)
    atexit.register(sink.process.end)
    return sink


def people_csv(people, order="shuffled"):
    """Made-up people in a file that is written once: "sorted" by address, or in another order, as most lists are."""
    path = os.path.join(FOLDER, f"people-{people}-{order}.csv")
    if not os.path.exists(path):
        os.makedirs(FOLDER, exist_ok=True)
        with open(path + ".tmp", "w") as f:
            f.write("email,first name,last name,language\n")
            for i in range(people):
                if order == "shuffled" and people % 7919:
                    i = i * 7919 % people
                f.write(f"p{i:07}@subscribers.example,Person{i},Muster,en\n")
        os.rename(path + ".tmp", path)
    return path


class Api(http.client.HTTPConnection):
    """The daemon's socket by one connection that is kept: asking must not weigh on what is measured."""

    def __init__(self, house):
        super().__init__("localhost")
        self.path = house.path("api.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def ask(self, method, path):
        self.request(method, path)
        return json.loads(self.getresponse().read())


def build_house(name, sink=None, people=0, **relay):
    """The daemon, started, with a list of so many people and a relay."""
    house = House("bench-" + name, clock=None)
    house.config["daemon"]["alert"] = ""
    house.config["list workshops"]["coordinators"] = ""
    house.relay("main", url=sink.url() if sink else "smtp://127.0.0.1:9", tls="none", **{"connections": CONNECTIONS, **relay})
    house.start()
    house.number = 0
    if people:
        import_file(house, people)
        rest(house)
    return house


def rest(house):
    """Until it does nothing any more: after an import it makes signatures ahead. What that took is kept with the house."""
    used = [cpu_usec(house.daemon.pid)["all"]]
    while len(used) < 4 or used[-1] - used[-4] > 2000:
        time.sleep(0.1)
        used.append(cpu_usec(house.daemon.pid)["all"])
    house.signing_usec = used[-1] - used[0]


def import_file(house, people):
    return house.cli("import", "workshops", people_csv(people), "--basis", "consent", "--evidence", "test", timeout=1800)


def announce(house, sink, people, timeout=900):
    """One announcement of about 8 KB to everybody. Processor time from before it is handed over until all is recorded; seconds from its
    release until the sink took the last."""
    pid, api = house.daemon.pid, Api(house)
    house.number += 1
    subject = f"Nummer {house.number}"
    path = house.announcement(name=f"{house.number}.md", subject=subject, body="{{salutation}},\n\n" + (PARAGRAPH + "\n\n") * 2)
    had, before = sink.counts(), cpu_usec(pid)
    number = house.queue(path, "workshops", "--hold")
    begin = time.monotonic()
    api.ask("POST", f"/v1/announcements/{number}/release")
    row = until("the announcement is done", lambda: (lambda row: row if row["state"] == "done" else None)(
        api.ask("GET", f"/v1/announcements/{number}")), timeout, 0.1)
    after, has = cpu_usec(pid), sink.counts()
    api.close()
    equal((row["delivered"], has["messages"] - had["messages"], has["violations"]), (people, people, 0), "delivered, taken, violations")
    used = {thread: (after[thread] - before[thread]) / people for thread in after}
    return {"cpu_usec_per_message": used["all"], "cpu_usec_loop": used["loop"], "cpu_usec_store": used["store"],
            **taken(had, has, people, has["last_usec"] / 1e6 - begin)}


def taken(had, has, messages, seconds):
    """What the sink says of a run, for each message."""
    return {"messages_per_second": messages / seconds, "seconds": seconds, "bytes": (has["bytes"] - had["bytes"]) / messages,
            "round_trips": (has["round_trips"] - had["round_trips"]) / messages,
            "sink_cpu_usec_per_message": (has["cpu_usec"] - had["cpu_usec"]) / messages}


def program(name):
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")


def sender_run(sink, messages, command, **options):
    """What a program that sends so many messages into the sink took for each."""
    had = sink.counts()
    used = run_child(command, lambda: sink.counts()["last_usec"], **options)
    has = sink.counts()
    equal(has["recipients"] - had["recipients"], messages, f"recipients of {command[0]}")
    return {"cpu_usec_per_message": used["cpu_usec"] / messages, **taken(had, has, messages, used["seconds"])}


class Generator:
    """smtp-source of Postfix, which composes and records nothing, with messages of a given size as the sink sees them."""

    def __init__(self, sink, size):
        self.program = program("smtp-source")
        if not self.program:
            raise Missing("smtp-source (Postfix) is not installed")
        self.length = size
        self.length -= round(self.run(sink, 20)["bytes"]) - size  # it writes a header besides

    def run(self, sink, messages, connections=CONNECTIONS):
        return sender_run(sink, messages, [self.program, "-d", "-s", str(connections), "-m", str(messages), "-l", str(self.length),
                                           "-f", SENDER, "-t", RECIPIENT, f"127.0.0.1:{sink.port}"])


def message_size(sink):
    """Octets of a mail of the daemon."""
    house = build_house("size", sink, 100)
    size = round(announce(house, sink, 100)["bytes"])
    house.stop()
    return size


def processor():
    with open("/proc/cpuinfo") as f:
        names = re.findall(r"model name\s*: (.*)", f.read())
    return names[0] if names else platform.machine()
