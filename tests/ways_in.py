"""The ways by which a mail server hands what came back to the mail door: LMTP as systemd serves it, and a mailbox of a provider (Dovecot)."""
import socketserver
import threading

from rig import *


class Doors:
    """What systemd does with rundbrief-mail.socket (Accept=yes): each connection has its own rundbrief-mail. At a port of loopback, or at a path."""

    def __init__(self, config_path, path=None):
        class Door(socketserver.BaseRequestHandler):
            def handle(self):
                subprocess.run([os.path.join(BUILD, "rundbrief-mail"), "--config", config_path, "--lmtp"], stdin=self.request, stdout=self.request,
                               stderr=subprocess.DEVNULL)

        kind = type("Doors", (socketserver.ThreadingMixIn, socketserver.UnixStreamServer if path else socketserver.TCPServer),
                    {"daemon_threads": True, "allow_reuse_address": True})
        server = kind(path or ("127.0.0.1", 0), Door)
        if path:
            os.chmod(path, 0o666)
        else:
            self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()


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
