"""Real mail servers beside each other, each in a folder of its own on a free port of loopback: Postfix, Exim, OpenSMTPD, chasquid and npm's
smtp-server. All but OpenSMTPD speak STARTTLS with a certificate of the tests' own CA and want AUTH; all keep each mail as a file of its own.

Every address has a mailbox, but unknown*@ gets 550 5.1.1 and tempfail*@ 451; both at RCPT, with chasquid the second after the message.
limits: messages on one connection, or connections at once, as far as a server knows such limits; and SIZE, 1 MB.
"""
import os
import signal
import smtplib
import ssl
import subprocess

from rig import *

SIZE = 1 << 20
PER_CONNECTION = 12
USER = "sender@relay.test"
DOMAIN = "subscribers.example"
SERVERS = os.path.join(ROOT, "build", "servers")


class Missing(Exception):
    """It cannot run here, and why."""


class Server:
    name = ""
    tls = pipelining = chunking = smtputf8 = True
    ca = "ca.pem"
    keys = {}  # of the [relay] section, besides
    impatient = False  # it hangs up after three refusals on a connection
    loses = ()  # local parts that it takes, and cannot keep

    def __init__(self, folder):
        self.folder = os.path.join(folder, self.name)
        self.port = free_port()
        self.process = None
        for part in ("mail", "log", "spool"):
            os.makedirs(self.path(part))
        os.chmod(self.path("mail"), 0o777)
        subprocess.run([os.path.join(TOOLS, "sink"), "--make-cert", self.folder], check=True)
        os.chmod(self.path("key.pem"), 0o644)  # the servers' own users read it; OpenSMTPD wants it for root alone
        self.password = os.urandom(9).hex()
        self.write("password", self.password + "\n", 0o600)
        # Each mail becomes a file of its own, whole or not at all.
        self.write("deliver", f"""#!/bin/sh
            umask 022
            to=$(echo "${{RECIPIENT:-$1}}" | tr A-Z a-z)
            mkdir -p "{self.path('mail')}/$to" && file=$(mktemp "{self.path('mail')}/$to/tmp.XXXXXX") && cat >"$file" &&
                chmod 644 "$file" && mv "$file" "{self.path('mail')}/$to/mail.${{file##*.}}"
            """, 0o755)
        self.prepare()

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def prepare(self):
        """Writes its configuration; raises Missing."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return None

    def start(self):
        self.process = Process("server", self.command(), self.folder, env=self.environment())
        try:
            until(f"{self.name} listens", lambda: not self.process.alive() or self.offers(), 20, 0.1)
        except AssertionError:
            self.stop(signal.SIGKILL)
        if not self.process or not self.process.alive():
            raise Missing(f"it does not start: {self.logged()[-600:]}")

    def main_pid(self):
        return self.process.pid

    def stop(self, number=signal.SIGTERM):
        """Ends it as an init system would, by force after 10 s."""
        if not self.process or not self.process.alive():
            return
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(self.main_pid(), number)
        try:
            self.process.child.wait(10)
        except subprocess.TimeoutExpired:
            self.process.end(signal.SIGKILL)

    def end(self):
        self.stop(signal.SIGKILL)

    def logged(self):
        return self.process.logged() if self.process else ""

    def offers(self):
        """What it offers under TLS; None where it does not answer."""
        try:
            with smtplib.SMTP("localhost", self.port, timeout=5) as client:
                if self.tls:
                    client.starttls(context=ssl.create_default_context(cafile=self.path(self.ca)))
                client.ehlo("client.test")
                return {name.upper(): value for name, value in client.esmtp_features.items()}
        except (OSError, smtplib.SMTPException):
            return None

    def relay(self):
        """The keys of a [relay] section."""
        if not self.tls:
            return {"url": f"smtp://127.0.0.1:{self.port}", "tls": "none", **self.keys}
        return {"url": f"smtp://localhost:{self.port}", "tls": "required", "ca-file": self.path("ca.pem"), "username": USER,
                "password-file": self.path("password"), **self.keys}

    def files(self, address=None):
        folder = glob.escape(address.lower()) if address else "*"
        return sorted(glob.glob(self.path("mail", folder, "mail.*")))

    def delivered(self):
        """The address of each mail that arrived, with its octets."""
        for path in self.files():
            with open(path, "rb") as f:
                yield os.path.basename(os.path.dirname(path)), f.read()


class Unpacked(Server):
    """Of a Debian package that is not installed."""
    users = ""

    def prepare(self):
        if os.geteuid() != 0:
            raise Missing("only root can run what is not installed")
        done = subprocess.run([os.path.join(ROOT, "tests/tools/server_deps"), self.name], capture_output=True, text=True)
        if not os.path.isdir(os.path.join(SERVERS, self.name)):
            raise Missing("it could not be fetched: " + (done.stderr.strip().splitlines() or ["?"])[-1])

    def inside(self, script):
        return [os.path.join(ROOT, "tests/tools/unpacked"), os.path.join(SERVERS, self.name), self.folder, self.users,
                "/bin/sh", "-euc", script]

    def main_pid(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            return int(f.read().split()[0])


class Postfix(Server):
    """Installed; tests/tools/mta, with its own TLS and Dovecot."""
    name = "postfix"
    ca = "tls/ca.pem"
    loses = ("grüße", "o'hara+news=a.b")  # Dovecot behind it takes neither

    def __init__(self, folder):
        self.folder = os.path.join(folder, self.name)
        self.mta = None
        if os.geteuid() != 0:
            raise Missing("only root can run it")
        if not os.path.exists("/usr/sbin/postfix"):
            raise Missing("it is not installed")
        self.port = free_port()

    def tool(self, *arguments):
        subprocess.run([os.path.join(ROOT, "tests/tools/mta"), *arguments], check=True, stdin=subprocess.DEVNULL,
                       env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})

    def postfix(self, *arguments):
        subprocess.run(["/usr/sbin/postfix", "-c", self.path("postfix"), *arguments], check=True, timeout=20, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        if self.mta:
            self.postfix("start")
        else:
            # Two connections at once, and its own defaults where the tool is generous.
            os.makedirs(os.path.dirname(self.folder), exist_ok=True)
            with open(self.folder + ".cf", "w") as f:
                f.write(f"message_size_limit = {SIZE}\nsmtpd_client_connection_count_limit = 2\nsmtpd_client_event_limit_exceptions =\n"
                        "smtpd_soft_error_limit = 10\nsmtpd_hard_error_limit = 20\n"
                        "smtpd_recipient_restrictions = check_recipient_access regexp:{{/^unknown/ 550 5.1.1 no such user}, "
                        "{/^tempfail/ 451 4.2.0 try again later}}, permit_sasl_authenticated, reject\n")
            self.mta = Mta(os.path.dirname(self.folder), self.port, name=self.name, settings=self.folder + ".cf")
        until("postfix listens", self.offers)

    def stop(self, number=signal.SIGTERM):
        if self.mta:
            self.postfix("stop" if number == signal.SIGTERM else "abort")

    def end(self):
        if self.mta:
            self.mta.stop()

    def relay(self):
        return {**self.mta.relay(), "tls": "required"}

    def files(self, address=None):
        return self.mta.paths(address)

    def delivered(self):
        for path in self.files():
            with open(path, "rb") as f:
                yield path.split("/")[-3], f.read()


class Exim(Unpacked):
    name = "exim"
    users = "Debian-exim"

    def prepare(self):
        super().prepare()
        self.write("exim.conf", f"""
daemon_smtp_ports = {self.port}
local_interfaces = 127.0.0.1
log_file_path = {self.path('log')}/%slog
spool_directory = {self.path('spool')}
primary_hostname = relay.test
keep_environment =
tls_advertise_hosts = *
tls_certificate = {self.path('cert.pem')}
tls_privatekey = {self.path('key.pem')}
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
smtputf8_advertise_hosts = *
message_size_limit = {SIZE}
smtp_accept_max_per_connection = {PER_CONNECTION}
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny local_parts = ^unknown
       message = 550 5.1.1 no such user
  defer local_parts = ^tempfail
       message = 451 4.2.0 try again later
  deny !authenticated = *
       message = 550 5.7.1 who are you?
  accept
begin routers
everyone:
  driver = accept
  transport = keep
begin transports
keep:
  driver = pipe
  command = {self.path('deliver')}
  user = nobody
  group = nogroup
  message_prefix =
  message_suffix =
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{self.password}}}}}}}}}
  server_set_id = $auth2
""")

    def command(self):
        return self.inside(f"mkdir -p /etc/exim4; cp {self.path('exim.conf')} /etc/exim4/exim4.conf; "
                           f"chown -R Debian-exim {self.path('spool')} {self.path('log')}; exec /usr/sbin/exim4 -bdf -q2s")

    def logged(self):
        log = self.path("log", "mainlog")
        return super().logged() + (open(log).read() if os.path.exists(log) else "")


class OpenSmtpd(Unpacked):
    """Without TLS, which 6.8.0p2 cannot serve with OpenSSL 3, and so without AUTH."""
    name = "opensmtpd"
    users = "opensmtpd,opensmtpq"
    tls = pipelining = chunking = smtputf8 = False

    def prepare(self):
        super().prepare()
        self.write("smtpd.conf", f"""
table everyone {{ "@" = nobody }}
filter unknown phase rcpt-to match rcpt-to regex {{ "^unknown" }} reject "550 5.1.1 no such user"
filter tempfail phase rcpt-to match rcpt-to regex {{ "^tempfail" }} reject "451 4.2.0 try again later"
smtp max-message-size {SIZE}
smtp limit max-mails {PER_CONNECTION}
listen on 127.0.0.1 port {self.port} hostname relay.test filter {{ unknown, tempfail }}
action keep mda "{self.path('deliver')} %{{rcpt}}" virtual <everyone>
match from any for any action keep
""")

    def command(self):
        return self.inside("mkdir -p /var/spool; ln -sT " + self.path("spool") + " /var/spool/smtpd; chmod 711 /var/spool/smtpd/; "
                           f"exec /usr/sbin/smtpd -d -f {self.path('smtpd.conf')}")


class Chasquid(Unpacked):
    """1.11 offers PIPELINING, and loses commands that come in one packet with the end of a message."""
    name = "chasquid"
    chunking = False
    keys = {"pipelining": "none"}
    impatient = True

    def prepare(self):
        super().prepare()
        program = os.path.join(SERVERS, self.name, "usr/bin")
        self.program = os.path.join(program, "chasquid")
        self.write("chasquid.conf", f"""
hostname: "relay.test"
max_data_size_mb: {SIZE >> 20}
smtp_address: "127.0.0.1:{free_port()}"
submission_address: "127.0.0.1:{self.port}"
mail_delivery_agent_bin: "{self.path('deliver')}"
mail_delivery_agent_args: "%to%"
data_dir: "{self.path('spool')}"
suffix_separators: "|"
drop_characters: "|"
mail_log_path: "<stderr>"
""")
        for part in ("cert.pem", "key.pem"):
            to = {"cert.pem": "fullchain.pem", "key.pem": "privkey.pem"}[part]
            with open(self.path(part)) as f:
                self.write("certs/relay.test/" + to, f.read())
        for domain in ("relay.test", DOMAIN, "coordinators.test", "rundbrief.test"):
            os.makedirs(self.path("domains", domain))
        # Whoever has an alias exists.
        self.write("hooks/alias-resolve", '#!/bin/sh\ncase $1 in unknown*|"*"*) ;; *) echo "| ' + self.path("deliver") + ' $1" ;; esac\n', 0o755)
        self.write("hooks/post-data", '#!/bin/sh\ncat >/dev/null\ncase $RCPT_TO in tempfail*) echo 4.2.0 try again later; exit 1 ;; esac\n', 0o755)
        subprocess.run([os.path.join(program, "chasquid-util"), "--configdir=" + self.folder, "user-add", USER, "--password=" + self.password],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL)

    def command(self):
        return [self.program, "--config_dir=" + self.folder]

    def main_pid(self):
        return self.process.pid


class SmtpServer(Server):
    """npm's smtp-server, as whoever writes a relay of their own takes it."""
    name = "smtp-server"
    chunking = False

    def prepare(self):
        done = subprocess.run([os.path.join(ROOT, "tests/tools/npm_deps")], capture_output=True, text=True)
        if done.returncode != 0:
            raise Missing("npm could not install it: " + (done.stderr.strip().splitlines() or ["?"])[-1])
        self.modules = done.stdout.strip()

    def environment(self):
        return {**os.environ, "NODE_PATH": self.modules}

    def command(self):
        return ["node", os.path.join(ROOT, "tests/tools/smtp_server.js"), self.folder, str(self.port), USER, self.password, str(SIZE)]


ALL = (Postfix, Exim, OpenSmtpd, Chasquid, SmtpServer)
