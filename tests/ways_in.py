"""The ways by which a mail server hands what came back to the mail door: LMTP as systemd serves it, and a mailbox of a provider (Dovecot)."""
import select

from rig import *


class Doors:
    """The mail door as systemd starts it for rundbrief-mail.socket: at a port of loopback, or at a path."""

    def __init__(self, config_path, path=None):
        self.listening = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listening.bind(path or ("127.0.0.1", 0))
        self.listening.listen(128)
        if path:
            os.chmod(path, 0o666)
        self.address = self.listening.getsockname()
        self.port = None if path else self.address[1]
        self.log_path = os.path.join(os.path.dirname(config_path), "mail-door.log")
        self.config_path, self.process = config_path, None
        threading.Thread(target=self.start_when_wanted, daemon=True).start()
        atexit.register(self.end)

    def start_when_wanted(self):
        select.select([self.listening], [], [])
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(["bash", "-c", f'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" "$@" 3<&{self.listening.fileno()}',
                                             os.path.join(BUILD, "rundbrief-mail"), "--config", self.config_path, "--lmtp"],
                                            pass_fds=[self.listening.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def end(self, number=signal.SIGTERM):
        """Its exit status; the next connection starts it again."""
        if not self.process:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.process = None
        threading.Thread(target=self.start_when_wanted, daemon=True).start()
        return code

    def readers(self):
        """The processes that it has started, and theirs."""
        return descendants(self.process.pid)

    def connect(self):
        return Lmtp(self.address)


def descendants(pid):
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path) as f:
            found += [int(child) for child in f.read().split()]
    return found + [grandchild for child in found for grandchild in descendants(child)]


class Lmtp:
    """A client that does as RFC 2033 and 2920 have it."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")
        equal(self.answer()[0], "220")
        self.say("LHLO mx.example")
        equal(self.answer()[0], "250")

    def say(self, *lines):
        self.socket.sendall("".join(line + "\r\n" for line in lines).encode())

    def answer(self):
        """(code, its last line)"""
        while True:
            line = self.file.readline().decode()
            check(line.endswith("\r\n"), f"the door has hung up: {line!r}")
            if line[3] == " ":
                return line[:3], line.strip()

    def send(self, mail, *recipients, sender=""):
        """mail: bytes with CR LF, dots doubled. The code for each recipient behind the message."""
        self.say(f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients), "DATA")
        codes = [self.answer() for _ in range(1 + len(recipients) + 1)]
        equal([code for code, _ in codes], ["250"] * (1 + len(recipients)) + ["354"], codes)
        self.socket.sendall(mail + b".\r\n")
        return [self.answer()[0] for _ in recipients]

    def quit(self):
        self.say("QUIT")
        equal(self.answer()[0], "221")
        self.socket.close()


def on_the_wire(mail):
    """A mail's bytes as LMTP carries them."""
    lines = re.split(rb"\r\n|\n|\r", mail if mail.endswith((b"\n", b"\r")) else mail + b"\n")[:-1]
    return b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)


class Mailbox:
    """One mailbox, user back, password right; TLS is wanted. Its mails lie in self.box, a Maildir of nobody's."""

    def __init__(self, house):
        dovecot = shutil.which("dovecot", path=os.environ["PATH"] + ":/usr/sbin")
        if os.geteuid() != 0:
            skip("Dovecot needs root")
        if not dovecot or not os.path.exists("/usr/lib/dovecot/imap"):
            skip("dovecot-imapd is not installed")
        self.folder, self.port = house.path("provider"), free_port()
        self.box = self.folder + "/mail/back"
        for part in ("run", "state"):
            os.makedirs(f"{self.folder}/{part}")
        for part in ("new", "cur", "tmp"):
            os.makedirs(f"{self.box}/{part}")
        subprocess.run([os.path.join(TOOLS, "sink"), "--make-cert", self.folder], check=True)
        with open(self.folder + "/dovecot.conf", "w") as f:
            f.write(CONFIG.format(folder=self.folder, port=self.port, box=self.box))
        subprocess.run(["chown", "-R", "nobody:nogroup", self.folder + "/mail"], check=True)
        self.server = Process("dovecot", [dovecot, "-F", "-c", self.folder + "/dovecot.conf"], house.folder)
        house.processes.append(self.server)
        until("Dovecot listens", lambda: self.listens() or not self.server.alive())
        check(self.server.alive(), self.server.logged())
        house.write("password", "right\n")
        os.chmod(house.path("password"), 0o600)
        house.config["bounce"].update({"imap-url": f"imap://localhost:{self.port}/INBOX", "imap-username": "back",
                                       "imap-password-file": house.path("password"), "imap-ca-file": self.folder + "/ca.pem"})

    def listens(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
            return s.recv(10).startswith(b"* OK")


class BareImap:
    """A server of RFC 3501 with no extension at all, whose mailbox others use, too: self.mails is {uid: (mail, flags)}, self.folders the names that
    there are, self.commands what was said. Plain; the password is right."""

    def __init__(self, capabilities="IMAP4rev1"):
        self.mails, self.folders, self.commands, self.capabilities = {}, {"INBOX": None}, [], capabilities
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listening.accept()
            with connection, contextlib.suppress(OSError), connection.makefile("rwb", 0) as f:
                f.write(b"* OK ready\r\n")
                for line in f:
                    tag, _, command = line.decode().strip().partition(" ")
                    self.commands.append(re.sub(r"^(LOGIN|AUTHENTICATE).*", r"\1", command))
                    f.write(self.answer(command, f) + f"{tag} {self.result}\r\n".encode())
                    if command == "LOGOUT":
                        break

    def answer(self, command, f):
        self.result = "OK done"
        words = command.split(" ")
        uid = next((int(word) for word in words if word.isdigit()), 0)
        known = {name: None for name in self.folders}
        if words[0] == "CAPABILITY":
            return f"* CAPABILITY {self.capabilities}\r\n".encode()
        if words[0] in ("SELECT", "EXAMINE"):
            return f"* {len(self.mails)} EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n".encode()
        if command.startswith("UID SEARCH"):
            found = [str(uid) for uid, (_, flags) in self.mails.items() if not flags & {"\\Seen", "\\Deleted"}]
            return ("* SEARCH " + " ".join(found) + "\r\n").encode()
        if command.startswith("UID FETCH"):
            mail = self.mails[uid][0]
            return f"* 1 FETCH (UID {uid} BODY[] {{{len(mail)}}}\r\n".encode() + mail + b")\r\n"
        if command.startswith("UID STORE"):
            self.mails[uid][1].update(re.findall(r"\\\w+", command))
        elif command.startswith(("UID COPY", "UID MOVE")):
            name = re.search(r'"(.*)"$', command).group(1)
            if name not in known:
                self.result = "NO [TRYCREATE] there is no such folder"
        elif "EXPUNGE" in command:
            self.mails = {uid: mail for uid, mail in self.mails.items() if "\\Deleted" not in mail[1]}
        elif words[0] not in ("LOGIN", "NOOP", "LOGOUT"):
            self.result = "BAD what"
        return b""


CONFIG = """base_dir = {folder}/run
state_dir = {folder}/state
instance_name = rundbrief-{port}
protocols = imap
listen = 127.0.0.1
log_path = {folder}/log
ssl = required
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
mail_location = maildir:{box}
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
passdb {{
  driver = static
  args = password=right
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={box} allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""
