"""Many one-click opt-outs at once, over connections that are kept, as the large receivers send them."""
import collections
import contextlib
import socket
import threading
import time

BODY = b"List-Unsubscribe=One-Click"


class Clicks:
    """Posts to the paths, each until it has a 200, over so many connections; run() returns when all have one or the time is over.
    upto: how many yeses there may be for now; whoever watches the run sets it higher, so that there are people left for what is to come.
    statuses: how many answers of each status, 0 for connections that broke. said_yes: the paths that got 200. msec: time of each of those."""

    def __init__(self, port, paths, connections=50, pause=0.05, upto=float("inf")):
        self.port, self.pause, self.upto = port, pause, upto
        self.waiting = collections.deque(paths)
        self.count = len(self.waiting)
        self.connections = connections
        self.statuses = collections.Counter()
        self.said_yes, self.msec = [], []
        self.end = 0

    def answer(self, file):
        head = file.readline()
        if not head.endswith(b"\n"):
            raise ConnectionError
        length, close = 0, False
        while (line := file.readline().lower()) != b"\r\n":
            if not line:
                raise ConnectionError
            if line.startswith(b"content-length:"):
                length = int(line[15:])
            close |= line.startswith(b"connection:") and b"close" in line
        file.read(length)
        return int(head.split()[1]), close

    def work(self):
        connection = file = None
        while self.waiting and time.monotonic() < self.end:
            if len(self.said_yes) >= self.upto:
                time.sleep(self.pause)
                continue
            try:
                path = self.waiting.popleft()
            except IndexError:
                break
            begin, status, close = time.monotonic(), 0, True
            with contextlib.suppress(OSError, ValueError):
                if not connection:
                    connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
                    file = connection.makefile("rb")
                connection.sendall(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
                                   % (path.encode(), len(BODY), BODY))
                status, close = self.answer(file)
            if close and connection:
                file.close()
                connection.close()
                connection = None
            self.statuses[status] += 1
            if status == 200:
                self.said_yes.append(path)
                self.msec.append((time.monotonic() - begin) * 1000)
            else:
                self.waiting.append(path)
                time.sleep(self.pause)
        if connection:
            file.close()
            connection.close()

    def run(self, seconds=60, meanwhile=None):
        """meanwhile(self) is called from this thread while the clicks are under way. Returns the seconds it took."""
        begin = time.monotonic()
        self.end = begin + seconds
        threads = [threading.Thread(target=self.work, daemon=True) for _ in range(self.connections)]
        for thread in threads:
            thread.start()
        try:
            if meanwhile:
                meanwhile(self)
        finally:
            for thread in threads:
                thread.join()
        return time.monotonic() - begin
