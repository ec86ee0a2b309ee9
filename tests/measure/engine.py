"""The engine, whole, beside a raw load generator; and beside what people use instead."""
import email.message

from measure.kit import *

HEAD = f"{'':34}{'CPU µs':>8}{'loop':>7}{'store':>7}{'sink':>7}{'messages/s':>12}   of its CPU, times as fast (least..most)"


def line(name, m, cpu=None, rate=None):
    threads = f"{m['cpu_usec_loop']:7.1f}{m['cpu_usec_store']:7.1f}" if "cpu_usec_loop" in m else " " * 14
    ratio = f"   {show_spread(cpu)}, {show_spread(rate)}" if cpu else ""
    log(f"{name:34}{m['cpu_usec_per_message']:8.1f}{threads}{m['sink_cpu_usec_per_message']:7.1f}{m['messages_per_second']:12,.0f}{ratio}")


def figures_of(rounds, bases):
    m = medians(rounds)
    result = {**m, "rounds": rounds}
    if bases:
        result["cpu_ratio_to_smtp_source"] = ratios(rounds, bases, "cpu_usec_per_message")["median"]
        result["ratio_to_smtp_source"] = ratios(rounds, bases, "messages_per_second")["median"]
    return result


def measure(figures):
    """Rounds of: generator; a new house with its people, whose links are signed ahead; first announcement, second."""
    log(f"\nengine: {N:,} messages, {CONNECTIONS} connections, {ROUNDS} rounds; CPU for each message\n{HEAD}")
    figures["engine"] = {}
    for offer, ehlo in OFFERS.items():
        sink = bench_sink("engine-" + offer, ehlo)
        try:
            generator = Generator(sink, message_size(sink))
        except Missing as why:
            log(f"{why}: no ratios")
            generator = None
        bases, signing, first, second = [], [], [], []
        for _ in range(ROUNDS):
            if generator:
                bases.append(generator.run(sink, N))
            house = build_house("engine", sink, N)
            signing.append(house.signing_usec / N)
            first.append(announce(house, sink, N))
            second.append(announce(house, sink, N))
            house.stop()
        result = {**figures_of(second, bases), "first": figures_of(first, bases)}
        if bases:
            result["smtp_source"] = {**medians(bases), "rounds": bases}
            line(f"{offer}: smtp-source -d", result["smtp_source"])
        for name, rounds in (("first", first), ("second", second)):
            some = (ratios(rounds, bases, "cpu_usec_per_message"), ratios(rounds, bases, "messages_per_second")) if bases else ()
            line(f"{offer}: {name} announcement", medians(rounds), *some)
        result["signing_ahead_usec_per_person"] = statistics.median(signing)
        log(f"{'':34}{result['signing_ahead_usec_per_person']:8.1f}   to sign each person's link, ahead of the first")
        figures["engine"][offer] = result
        sink.process.end()
    log(f"a message has {round(result['bytes']):,} octets")


# ---- what people use instead ----

SMTPLIB = """
import smtplib, sys
port, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
text = open(path, "rb").read()
with smtplib.SMTP("127.0.0.1", port) as s:
    for i in range(count):
        s.sendmail("%s", ["p%%07d@subscribers.example" %% i], text)
""" % SENDER

NODEMAILER = """
const nodemailer = require('nodemailer');
const [port, count, path] = process.argv.slice(2);
const raw = require('fs').readFileSync(path);
const pool = nodemailer.createTransport({pool: true, host: '127.0.0.1', port: +port, maxConnections: %d, maxMessages: Infinity,
                                         ignoreTLS: true, secure: false});
let next = 0, left = +count;
function feed() {
  while (pool.isIdle() && next < +count) {
    const to = `p${String(next++).padStart(7, '0')}@subscribers.example`;
    pool.sendMail({raw, envelope: {from: '%s', to}}, (error) => {
      if (error) { console.error(error); process.exit(1); }
      if (--left === 0) pool.close();
    });
  }
}
pool.on('idle', feed);
feed();
""" % (CONNECTIONS, SENDER)


def raw_message(size):
    """A plain mail of that size, for those who are handed one whole."""
    mail = email.message.EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = SENDER, RECIPIENT, "Nummer", "<1@relay.test>"
    mail.set_content("x\n")
    head = mail.as_bytes().replace(b"\n", b"\r\n")[:-3]
    row = b"x" * 74 + b"\r\n"
    body = (row * (size // len(row) + 1))[:size - len(head) - 2] + b"\r\n"
    return head + body


class Smtplib:
    says = "Python's smtplib: one connection, one mail for all, made once"

    def __init__(self, sink, size):
        self.mail = os.path.join(FOLDER, "mail.eml")
        with open(self.mail, "wb") as f:
            f.write(raw_message(size))
        self.script = os.path.join(FOLDER, "send.py")
        with open(self.script, "w") as f:
            f.write(SMTPLIB)

    def run(self, sink, messages):
        return sender_run(sink, messages, [sys.executable, self.script, str(sink.port), str(messages), self.mail])


class Nodemailer(Smtplib):
    says = f"nodemailer's pool: {CONNECTIONS} connections, one mail for all, made once"

    def __init__(self, sink, size):
        super().__init__(sink, size)
        if not program("node"):
            raise Missing("nodejs is not installed")
        done = subprocess.run([os.path.join(ROOT, "tests/tools/npm_deps")], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0 or not os.path.isdir(os.path.join(done.stdout.strip(), "nodemailer")):
            raise Missing("npm did not install nodemailer")
        self.environment = {**os.environ, "NODE_PATH": done.stdout.strip()}
        self.script = os.path.join(FOLDER, "send.js")
        with open(self.script, "w") as f:
            f.write(NODEMAILER)

    def run(self, sink, messages):
        return sender_run(sink, messages, ["node", self.script, str(sink.port), str(messages), self.mail], env=self.environment)


class Mlmmj(Smtplib):
    says = "mlmmj-send: one connection, one mail for all, a return path for each (VERP)"

    def __init__(self, sink, size):
        super().__init__(sink, size)
        if not program("mlmmj-send"):
            raise Missing("mlmmj is not installed")
        self.list, self.size = os.path.join(FOLDER, "mlmmj"), size

    def prepare(self, sink, messages):
        shutil.rmtree(self.list, ignore_errors=True)
        for folder in ("subscribers.d", "control", "archive", "bounce", "requeue", "queue", "text"):
            os.makedirs(os.path.join(self.list, folder))
        for name, text in (("control/listaddress", "workshops@relay.test"), ("control/smtpport", str(sink.port)),
                           ("control/relayhost", "127.0.0.1"),
                           ("index", "1"), ("subscribers.d/p", "".join(f"p{i:07}@subscribers.example\n" for i in range(messages)))):
            with open(os.path.join(self.list, name), "w") as f:
                f.write(text if text.endswith("\n") or not text else text + "\n")
        mail = os.path.join(self.list, "queue", "mail")
        with open(mail, "wb") as f:
            f.write(raw_message(self.size).replace(b"\r\n", b"\n"))
        return mail

    def run(self, sink, messages):
        mail = self.prepare(sink, messages)
        return sender_run(sink, messages, [program("mlmmj-send"), "-L", self.list, "-m", mail])


def measure_others(figures):
    """Rounds of: the daemon's next announcement, each of the others. The sink acknowledges at once: some of them would wait 40 ms for each
    message else, and nothing but that would show."""
    messages = N // 4
    sink = bench_sink("others", OFFERS["chunking"], "--quickack")
    size = message_size(sink)
    others = {}
    log(f"\nbeside what people use instead: {messages:,} messages, {ROUNDS} rounds; none of them composes for each person, or records\n{HEAD}")
    for name, kind in (("nodemailer", Nodemailer), ("smtplib", Smtplib), ("mlmmj-send", Mlmmj)):
        try:
            others[name] = kind(sink, size)
        except Missing as why:
            log(f"{name}: {why}")
    house = build_house("others", sink, messages)
    announce(house, sink, messages)
    ours, theirs = [], {name: [] for name in others}
    for _ in range(ROUNDS):
        ours.append(announce(house, sink, messages))
        for name, other in others.items():
            theirs[name].append(other.run(sink, messages))
    house.stop()
    sink.process.end()
    line("rundbrief, second announcement", medians(ours))
    figures["others"] = {"rundbrief": medians(ours)}
    for name, rounds in theirs.items():
        figures["others"][name] = {**medians(rounds), "says": others[name].says,
                                   "cpu_ratio": ratios(ours, rounds, "cpu_usec_per_message")["median"],
                                   "ratio": ratios(ours, rounds, "messages_per_second")["median"]}
        line(name, medians(rounds))
        log(f"    {others[name].says}; rundbrief takes {show_spread(ratios(ours, rounds, 'cpu_usec_per_message'), 3)} of its CPU, is "
            f"{show_spread(ratios(ours, rounds, 'messages_per_second'), 1)} times as fast")
