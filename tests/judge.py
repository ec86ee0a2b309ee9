"""The judge: holds the sink's ledger, the store and the list against each other, and says whether the promise was kept.

A Judge follows one announcement through the lives of the daemon. at_death() is called after each end that was not a peaceful one, before the
next start; verdict() when the run is over and the daemon has ended. Both raise what rig.check() raises, and say who is wrong. The ledger is
the truth: the sink syncs a line of it before it says 250 (--ledger-fsync).

What must hold at every moment, whatever happened to the daemon or its disk:

  list    the recipients are those of the list (but who left before it was gathered), each once, and the counters of the announcement are
          what the rows say
  store   who is delivered is in the ledger
  told    an announcement that is over has its notice to each coordinator, one that is not has none
  ledger  who is in the ledger is delivered, or claimed or in doubt: nothing goes out that was not claimed durably before. Somebody
          who was in doubt may have got it and yet be refused at the second attempt; whoever left meanwhile stays in doubt, and so does
          whoever is deferred then
  twice   nobody stands in the ledger more often than 1 + the times they were in doubt; with in-doubt = hold, more often than once; and
          always with the same Message-ID

And when the run is over: nobody is pending or claimed, nobody is in doubt but with hold or who left, and nobody is missing: who is not in the ledger is
refused, deferred, left out, or in doubt: with hold, or because they left.
"""
import collections
import contextlib
import os
import shutil
import sqlite3
import tempfile

from rig import check, equal

STATES = ("pending", "claimed", "delivered", "deferred", "refused", "in doubt", "left out")
ADDRESS = "iif(s.address = '', s.address_key, s.address)"  # of the row s of subscriber
INTAKE, HELD, SCHEDULED, GATHERING, SENDING, PAUSED, DONE, STOPPED = range(1, 9)


@contextlib.contextmanager
def open_store(state_dir):
    """The store as the daemon left it, opened from a copy: to look changes nothing. The daemon must have ended."""
    with tempfile.TemporaryDirectory(prefix="rundbrief-judge-") as folder:
        for name in ("store.db", "store.db-wal", "store.db-journal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(os.path.join(state_dir, name), os.path.join(folder, name))
        with contextlib.closing(sqlite3.connect(os.path.join(folder, "store.db"))) as db:
            db.execute("PRAGMA synchronous = OFF")
            yield db


def _numbers(blob):
    """Numbers of base 128, the least significant digit first."""
    number = shift = 0
    for byte in blob:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0
    equal(shift, 0, "a whole number at the end of a block")


def audience(db, number):
    """Who is to get an announcement and has no row of delivery yet: subscriber -> its state, list and language (daemon/store/schema_4.sql)."""
    cursor = db.execute("SELECT ifnull(max(upto), 0) FROM claim_run WHERE announcement = ?", (number,)).fetchone()[0]
    with_row = {row[0] for row in db.execute("SELECT subscriber FROM delivery WHERE announcement = ?", (number,))}
    found, last = {}, 0
    for until, lists, languages, people in db.execute(
            "SELECT last, lists, languages, people FROM audience WHERE announcement = ? ORDER BY last", (number,)):
        lists, languages, numbers, subscriber = lists.split(), languages.split(), _numbers(people), 0
        for distance, which in zip(numbers, numbers):
            subscriber += distance
            check(subscriber > last, f"{subscriber} comes once, and in order")
            check(subscriber <= cursor or subscriber not in with_row, f"{subscriber} has a row, and would be claimed once more")
            last = subscriber
            if subscriber not in with_row:
                found[subscriber] = (int(subscriber <= cursor), int(lists[which // len(languages)]), languages[which % len(languages)])
        equal(subscriber, until, "the last of a block")
    return found


def sound(db):
    equal([row[0] for row in db.execute("PRAGMA integrity_check")], ["ok"], "integrity_check of the store")


class Ledger:
    """What the sink wrote since this object was made: address -> Message-IDs, in the order of acceptance."""

    def __init__(self, sink):
        self.path = sink.ledger_file
        self.at = os.path.getsize(self.path) if os.path.exists(self.path) else 0
        self.lines = 0
        self.got = {}

    def read(self):
        if os.path.exists(self.path):
            with open(self.path, "rb") as f:
                f.seek(self.at)
                new = f.read()
            new = new[:new.rfind(b"\n") + 1]
            self.at += len(new)
            for line in new.decode().splitlines():
                fields = line.split("\t")
                self.got.setdefault(fields[2], []).append(fields[4])
                self.lines += 1
        return self.got


class Judge:
    """people: the addresses that are on the list; number: of the announcement, or None until it is known."""

    def __init__(self, house, sink, people, number=None, hold=False):
        self.state_dir = house.config["daemon"]["state-dir"]
        self.people, self.number, self.hold = set(people), number, hold
        self.ledger = Ledger(sink)
        self.coordinators = len(house.config["list workshops"].get("coordinators", "").split())
        self.doubts = collections.Counter()  # address -> how often it was in doubt
        self.may_leave = set()  # who may be left out, for they left
        self.most_claimed = 0

    def in_doubt(self, addresses):
        """These were in doubt once more: the daemon lost a connection with their messages on it."""
        self.doubts.update(addresses)

    def _rows(self, db):
        rows = dict(db.execute("SELECT subscriber, state FROM delivery WHERE announcement = ?", (self.number,)))
        rows.update((subscriber, state) for subscriber, (state, *_) in audience(db, self.number).items())
        addresses = dict(db.execute(f"SELECT s.id, {ADDRESS} FROM subscriber s"))
        return {addresses[subscriber]: state for subscriber, state in rows.items()}

    def _state(self, db):
        found = db.execute("SELECT state, total, pending, delivered, deferred, refused, in_doubt, left_out FROM announcement WHERE id = ?",
                           (self.number,)).fetchone()
        check(found, f"announcement {self.number} is in the store")
        return found

    def _compare(self, db):
        """What must hold at every moment. Returns the announcement's state and address -> state."""
        state, total, *counters = self._state(db)
        rows, got = self._rows(db), self.ledger.read()
        count = collections.Counter(rows.values())
        strangers = rows.keys() - self.people
        check(not strangers, f"{len(strangers)} who are not on the list: {sorted(strangers)[:5]}")
        told = db.execute("SELECT count(*) FROM notice WHERE kind = 'finished' AND announcement = ?", (self.number,)).fetchone()[0]
        equal(told, self.coordinators if state == DONE else 0, "notices that it is over")
        if state in (SENDING, PAUSED, DONE, STOPPED):
            equal(counters, [count[0] + count[1], count[2], count[3], count[4], count[5], count[6]], "the counters")
            equal((sum(counters), len(rows)), (total, total), "the six sums, and the rows")
            missing = self.people - rows.keys() - self.may_leave
            check(not missing, f"{len(missing)} of the list are not among the recipients: {sorted(missing)[:5]}")
        for address, is_ in rows.items():
            times = len(got.get(address, ()))
            if STATES[is_] == "delivered":
                check(times, f"{address} is delivered in the store and not in the ledger")
            elif times and STATES[is_] not in ("claimed", "in doubt"):
                check(self.doubts[address], f"{address} is in the ledger, was never in doubt, and is {STATES[is_]}")
                check(STATES[is_] != "left out", f"{address} is in the ledger, was in doubt, and is left out")
        for address, ids in got.items():
            if address not in self.people:
                continue
            check(address in rows, f"{address} is in the ledger and no recipient")
            check(len(ids) <= (1 if self.hold else 1 + self.doubts[address]),
                  f"{address} got it {len(ids)} times and was in doubt {self.doubts[address]} times")
            equal(len(set(ids)), 1, f"Message-IDs of what {address} got")
        return state, rows

    def at_death(self):
        """The daemon is dead: what it left keeps the promise. Who is claimed is in doubt now. Returns (state, how many were claimed)."""
        with open_store(self.state_dir) as db:
            sound(db)
            if self.number is None:
                return INTAKE, 0
            state, rows = self._compare(db)
        claimed = [address for address, is_ in rows.items() if STATES[is_] == "claimed"]
        self.doubts.update(claimed)
        self.most_claimed = max(self.most_claimed, len(claimed))
        return state, len(claimed)

    def verdict(self):
        """The run is over and the daemon has ended. Returns the figures."""
        with open_store(self.state_dir) as db:
            sound(db)
            state, rows = self._compare(db)
        equal(state, DONE, "the announcement's state")
        got = self.ledger.got
        final = {"delivered", "deferred", "refused", "left out"}
        for address, is_ in rows.items():
            check(STATES[is_] in final or STATES[is_] == "in doubt" and (self.hold or address in self.may_leave), f"{address} is {STATES[is_]} when all is over")
            check(STATES[is_] != "left out" or address in self.may_leave, f"{address} was left out and had not left")
        lost = [a for a, is_ in rows.items() if a not in got and STATES[is_] == "delivered"] + sorted(self.people - rows.keys() - self.may_leave)
        count = collections.Counter(STATES[is_] for is_ in rows.values())
        return {"recipients": len(rows), "delivered": count["delivered"], "in_doubt": count["in doubt"],
                "refused": count["refused"], "deferred": count["deferred"], "left_out": count["left out"], "lost": len(lost),
                "duplicates": sum(len(ids) - 1 for a, ids in got.items() if a in self.people),
                "doubts": sum(self.doubts.values()), "most_claimed": self.most_claimed}
