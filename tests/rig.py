"""A house to test in: a configuration, the daemon, the web door, a mail server, all in one folder of their own.

Flow tests are folders tests/flow/NN-name with a program `run`. They use this module, run from the repository's root, exit with 0 when all
is well, 77 when the machine lacks what they need (and say what), and anything else when not. Everything listens on loopback and is ended
by its process id. RB_BUILD names the build that is tested (default: build).
"""
import atexit
import contextlib
import csv
import email
import email.policy
import glob
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, os.environ.get("RB_BUILD", "build"))
TOOLS = os.path.join(ROOT, "build", "tools")
SKIP = 77


def on_end(number, frame):
    """Whoever is told to end ends its house too: atexit."""
    sys.exit(128 + number)


if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, on_end)


def skip(why):
    print("skipped:", why)
    sys.exit(SKIP)


def check(truth, what):
    if not truth:
        raise AssertionError(what)


def equal(is_, should, what=""):
    if is_ != should:
        raise AssertionError(f"{what}: is {is_!r}, should be {should!r}")


def until(what, condition, seconds=20, step=0.05):
    """Waits until condition() is true; returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for: {what}")
        time.sleep(step)


def free_port():
    """Below those that the system hands out by itself, so that nobody gets it before it is used."""
    while True:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", random.SystemRandom().randrange(10000, 32000)))
            return s.getsockname()[1]


class Process:
    """A child that ends with this program, and whose log is a file."""

    def __init__(self, name, arguments, folder, env=None):
        self.name = name
        self.log = os.path.join(folder, name + ".log")
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=ROOT)
        self.pid = self.child.pid

    def alive(self):
        return self.child.poll() is None

    def kill(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def end(self, number=signal.SIGTERM, seconds=30):
        """Ends it; returns its exit status (negative: the signal)."""
        self.kill(number)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.name} did not end within {seconds} s")

    def logged(self):
        with open(self.log, errors="replace") as f:
            return f.read()


class Sink:
    """tests/tools/sink: an SMTP server that keeps a ledger and every mail (or counts only), and misbehaves as told."""

    def __init__(self, folder, *arguments, name="sink", port=0, keep=True, env=None):
        """keep: True the ledger and every mail, "ledger" just that, False neither."""
        self.folder = os.path.join(folder, name)
        os.makedirs(os.path.join(self.folder, "mail"), exist_ok=True)
        self.ledger_file = os.path.join(self.folder, "ledger")
        port_file = os.path.join(self.folder, "port")
        with contextlib.suppress(FileNotFoundError):
            os.remove(port_file)
        kept = ("--ledger", self.ledger_file) if keep else ()
        kept += ("--mail", os.path.join(self.folder, "mail")) if keep is True else ()
        self.process = Process(name, [os.path.join(TOOLS, "sink"), "--port", str(port), "--port-file", port_file, *kept,
                                      "--die-with-parent", *arguments], self.folder, env=env)
        self.port = int(until("the sink listens", lambda: os.path.exists(port_file) and open(port_file).read().strip()))

    def ledger(self):
        """Lines as dicts, in the order of acceptance."""
        keys = ("number", "sender", "recipient", "size", "message_id", "connection", "mail_usec", "accepted_usec")
        if not os.path.exists(self.ledger_file):
            return []
        with open(self.ledger_file) as f:
            return [dict(zip(keys, line.rstrip("\n").split("\t"))) for line in f]

    def recipients(self):
        return [line["recipient"] for line in self.ledger()]

    def mails(self):
        return [read_mail(path) for path in sorted(glob.glob(os.path.join(self.folder, "mail", "*.eml")))]

    def heads(self, *names):
        """Header fields of each mail as they stand, without reading the rest: for thousands of mails."""
        for path in glob.glob(os.path.join(self.folder, "mail", "*.eml")):
            with open(path, "rb") as f:
                head = re.sub(r"\r\n[ \t]", " ", f.read(16384).split(b"\r\n\r\n")[0].decode())
            fields = dict(line.split(": ", 1) for line in head.split("\r\n") if ": " in line)
            yield tuple(fields.get(name, "") for name in names)

    def url(self):
        return f"smtp://127.0.0.1:{self.port}"

    def counts(self):
        """What it has taken in all: connections, messages, bytes, commands, round trips, violations of the protocol."""
        before = self.process.logged().count("{")
        self.process.kill(signal.SIGUSR1)
        until("the sink tells its counts", lambda: self.process.logged().count("}") > before)
        return json.loads(re.findall(r"{.*}", self.process.logged())[-1])


class Mta:
    """tests/tools/mta: Postfix and Dovecot."""

    def __init__(self, folder, port=None, name="mta", settings=None):
        if os.geteuid() != 0:
            skip("Postfix needs root")
        if not shutil.which("postfix") and not os.path.exists("/usr/sbin/postfix"):
            skip("Postfix is not installed")
        self.folder = os.path.join(folder, name)
        self.port = port or free_port()
        self.settings = [settings] if settings else []
        self.start()
        atexit.register(self.stop)

    def start(self):
        subprocess.run([os.path.join(ROOT, "tests/tools/mta"), "start", self.folder, str(self.port), *self.settings], check=True,
                       stdin=subprocess.DEVNULL, env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})

    def stop(self):
        subprocess.run([os.path.join(ROOT, "tests/tools/mta"), "stop", self.folder], stdin=subprocess.DEVNULL,
                       env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})

    def relay(self):
        """The keys of a [relay] section."""
        return {"url": f"smtp://localhost:{self.port}", "ca-file": self.folder + "/tls/ca.pem", "username": "sender@relay.test",
                "password-file": self.folder + "/password"}

    def paths(self, address=None):
        return sorted(glob.glob(os.path.join(self.folder, "mail", glob.escape(address.lower()) if address else "*", "new", "*")))

    def mails(self, address=None):
        return [read_mail(path) for path in self.paths(address)]


def read_mail(path):
    with open(path, "rb") as f:
        mail = email.message_from_binary_file(f, policy=email.policy.SMTP)
    mail.path = path
    return mail


def text_of(mail, kind="plain"):
    return mail.get_body((kind,)).get_content()


def unsubscribe_url(mail):
    return re.search(r"<(https?://[^>]+)>", mail["List-Unsubscribe"]).group(1)


def sums_hold(status, rows):
    """The promise, of an announcement: each recipient is in exactly one state, and the states sum to the total."""
    equal(sum(status[key] for key in ("pending", "delivered", "deferred", "refused", "in_doubt", "left_out")), status["total"], "the six sums")
    equal(len(rows), status["total"], "rows of the report")
    equal(len({row["address"] for row in rows}), status["total"], "each once")


class House:
    """One rundbrief with everything around it."""

    def __init__(self, name, clock="2025-07-01T08:00:00Z"):
        self.folder = os.path.join(ROOT, "build", "flow", name)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.clock = clock
        self.build = BUILD  # where its programs are
        self.web_port = free_port()
        self.processes = []
        self.daemon = self.web = None
        self.config = {
            "daemon": {"state-dir": self.path("state"), "spool-dir": self.path("spool"), "templates": os.path.join(ROOT, "templates"),
                       "local-templates": self.path("templates"), "socket": self.path("api.sock"), "language": "en",
                       "timezone": "Europe/Berlin", "alert": "admin@rundbrief.test"},
            "sender office": {"name": "Koordinierungsstelle Städtepartnerschaften", "address": "rundbrief@partnerschaften.example",
                              "organisation": "Netzwerk Städtepartnerschaften", "postal-address": "Rathausplatz 1, 31134 Hildesheim",
                              "reply-to": "kontakt@partnerschaften.example",
                              "public-url": f"http://127.0.0.1:{self.web_port}",
                              "imprint-url": "https://partnerschaften.example/impressum",
                              "privacy-url": "https://partnerschaften.example/datenschutz"},
            "list workshops": {"sender": "office", "title": "Workshops", "languages": "de, en, fr, it, pl, uk",
                               "coordinators": "vera@coordinators.test"},
            "web": {"listen": f"127.0.0.1:{self.web_port}"},
        }
        os.makedirs(self.path("templates"))
        atexit.register(self.stop)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    @property
    def config_path(self):
        return self.path("rundbrief.ini")

    def relay(self, name="main", **keys):
        self.config["relay " + name] = {key.replace("_", "-"): str(value) for key, value in keys.items()}

    def use_sink(self, *arguments, name="sink", port=0, keep=True, env=None, **keys):
        sink = Sink(self.folder, *arguments, name=name, port=port, keep=keep, env=env)
        self.processes.append(sink.process)
        self.relay("main" if name == "sink" else name, **{"url": sink.url(), "tls": "none", **keys})
        return sink

    def use_mta(self, **keys):
        mta = Mta(self.folder)
        self.config["relay main"] = {**mta.relay(), **keys}
        return mta

    def write_config(self):
        with open(self.config_path, "w") as f:
            for section, keys in self.config.items():
                f.write(f"[{section}]\n")
                for key, value in keys.items():
                    f.write(f"{key} = {value}\n")
                f.write("\n")

    def run(self, program, *arguments, check_=True, input_=None, timeout=120):
        done = subprocess.run([os.path.join(self.build, program), *arguments], cwd=ROOT, capture_output=True, timeout=timeout,
                              input=input_, stdin=None if input_ is not None else subprocess.DEVNULL,
                              env={**os.environ, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"})
        done.stdout, done.stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if check_ and done.returncode != 0:
            raise AssertionError(f"{program} {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def cli(self, *arguments, **options):
        return self.run("rundbrief", "--config", self.config_path, *arguments, **options)

    def json(self, *arguments, **options):
        return json.loads(self.cli("--json", *arguments, **options).stdout)

    def start(self, *arguments, wait=True, prefix=(), env=None):
        """Starts the daemon; makes the keys the first time."""
        self.write_config()
        if not os.path.exists(os.path.join(self.config["daemon"]["state-dir"], "keys", "master.key")):
            self.cli("key", "init")
        clock = ["--clock", self.clock] if self.clock else []
        self.daemon = Process("rundbriefd", [*prefix, os.path.join(self.build, "rundbriefd"), "--config", self.config_path, *clock, *arguments],
                              self.folder, env=env)
        if wait:
            until("the daemon answers", lambda: self.answers() or not self.daemon.alive())
            if not self.daemon.alive():
                raise AssertionError("the daemon did not start:\n" + self.daemon.logged()[-4000:])
        return self.daemon

    def answers(self):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(self.path("api.sock"))
            return self.cli("status", check_=False).returncode == 0
        except OSError:
            return False

    def start_web(self):
        self.write_config()
        self.web = Process("rundbrief-web", [os.path.join(self.build, "rundbrief-web"), "--config", self.config_path], self.folder)
        until("the web door answers", lambda: self.get("/healthz", quiet=True) == 200 or not self.web.alive())
        check(self.web.alive(), "the web door did not start:\n" + self.web.logged()[-4000:])

    def request(self, method, path, body=None, headers=None):
        """(status, headers, text) of the web door; path may be a whole URL of it."""
        path = re.sub(r"^https?://[^/]+", "", path)
        connection = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def get(self, path, quiet=False):
        try:
            return self.request("GET", path)[0]
        except OSError:
            if quiet:
                return 0
            raise

    def one_click(self, url):
        return self.request("POST", url, "List-Unsubscribe=One-Click", {"Content-Type": "application/x-www-form-urlencoded"})

    def status(self, number):
        return self.json("status", str(number))

    def wait_for(self, number, state="done", seconds=60):
        return until(f"announcement {number} is {state}", lambda: (lambda s: s if s["state"] == state else None)(self.status(number)),
                     seconds, 0.1)

    def wait_counts(self, number, seconds=60, **counts):
        def look():
            s = self.status(number)
            return s if all(s[key] == value for key, value in counts.items()) else None
        try:
            return until(f"announcement {number} has {counts}", look, seconds, 0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}; it has {self.status(number)}") from None

    def import_people(self, people, list_="workshops", **options):
        """people: dicts with email and whatever columns; or a number of made-up ones."""
        path = self.path("people.csv")
        if isinstance(people, int):
            people = [{"email": f"p{i:06}@subscribers.example", "first name": f"Person{i}", "last name": "Muster", "language": "en"}
                      for i in range(people)]
        with open(path, "w", newline="") as f:
            writer = csv.DictWriter(f, people[0].keys())
            writer.writeheader()
            writer.writerows(people)
        return self.cli("import", list_, path, "--basis", "consent", "--evidence", "test", **options)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def announcement(self, name="hello.md", subject="Hallo zusammen", body="{{salutation}},\n\nkurz gesagt: alles gut.\n", head=""):
        return self.write(name, f"[announcement]\nsubject = {subject}\n{head}\n---\n{body}")

    def queue(self, path, list_="workshops", *arguments):
        return self.json("queue", path, "--list", list_, "--yes", *arguments)["id"]

    def report(self, number, *arguments):
        return self.json("report", str(number), *arguments)

    def sums(self, number):
        s = self.status(number)
        sums_hold(s, self.report(number))
        return s

    def stop(self):
        for process in (self.daemon, self.web, *self.processes):
            if process and process.alive():
                with contextlib.suppress(AssertionError):
                    process.end()
        self.daemon = self.web = None
        self.processes = []

    def stop_daemon(self, number=signal.SIGTERM, seconds=60):
        status = self.daemon.end(number, seconds)
        self.daemon = None
        return status


def in_container(inside, out, seconds=120):
    """Runs the program `inside` (a path below ROOT) as root in a container with this machine's systemd over a throw-away copy of the file
    system: tests/tools/boot. It finds `out` as /run/out, writes out/began first and out/passed last. Skips where none can be booted."""
    if os.geteuid() != 0:
        skip("only root can boot a container")
    if not os.access("/lib/systemd/systemd", os.X_OK) or not shutil.which("unshare"):
        skip("no systemd here")
    cgroups = next((p for p in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup") if os.path.exists(p + "/cgroup.procs")), None)
    if not cgroups or not os.access(cgroups, os.W_OK):
        skip("no writable cgroup 2 hierarchy here")
    try:
        done = subprocess.run([os.path.join(ROOT, "tests/tools/boot"), cgroups, ROOT, os.environ.get("RB_BUILD", "build"), out, inside],
                              capture_output=True, text=True, timeout=seconds)
        said = (done.stderr.strip().splitlines() or ["it did not come up"])[-1]
    except subprocess.TimeoutExpired:
        said = f"it did not end within {seconds} s"
    if not os.path.exists(os.path.join(out, "began")):
        skip("no container can be booted here: " + said)
    logs = [os.path.join(out, name) for name in ("log", "journal")]
    check(os.path.exists(os.path.join(out, "passed")), "".join(open(path, errors="replace").read() for path in logs if os.path.exists(path)))


def judge(paths):
    """Every mail is judged by parsers that are not ours."""
    for start in range(0, len(paths), 200):
        some = paths[start:start + 200]
        for judge_ in ([os.path.join(TOOLS, "judge_mime")], [sys.executable, os.path.join(ROOT, "tests/tools/judge_mime.py")]):
            done = subprocess.run([*judge_, *some], capture_output=True, text=True)
            check(done.returncode == 0, f"{os.path.basename(judge_[-1])}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
