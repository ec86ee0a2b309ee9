"""What a disk holds after the power failed: forgetful.so wrote down what programs did, this makes a folder of it.

Certain is what was synced: a file's content by a sync of the file, names by a sync of their folder (a rename, which moves at once or not at
all, by a sync of the folder it leads to). Of all else anything may have reached the disk or not: each name for itself, each sector of 512
octets for itself, in any order. That is harsher than any file system in use.
"""
import os
import shutil
import time

SECTOR = 512


class File:
    def __init__(self, content=b""):
        self.durable = bytearray(content)
        self.pending = []  # (offset, octets) written, (size, None) cut

    def sync(self):
        for offset, data in self.pending:
            self.apply(offset, data)
        self.pending.clear()

    def apply(self, offset, data):
        if data is None:
            del self.durable[offset:]
            self.durable.extend(bytes(offset - len(self.durable)))
            return
        self.durable.extend(bytes(max(0, offset - len(self.durable))))
        self.durable[offset:offset + len(data)] = data

    def give_up(self, chance):
        """A sync failed: what was written since the last reached the disk or not, and no later sync changes that."""
        self.fail(chance)
        self.pending.clear()

    def fail(self, chance):
        """The power fails."""
        keeps = chance.choice((0, 0.5, 0.9, chance.random()))
        for offset, data in self.pending:
            if data is None or chance.random() < 0.5:  # a whole write, or none of it
                if chance.random() < keeps:
                    self.apply(offset, data)
                continue
            at = 0
            while at < len(data):
                end = min(len(data), at + SECTOR - (offset + at) % SECTOR)
                if chance.random() < keeps:
                    self.apply(offset + at, data[at:end])
                at = end


class Folder:
    def __init__(self):
        self.durable, self.live = {}, {}


class Disk:
    def __init__(self, root):
        """The folder as it is, all of it certain."""
        self.inodes = {}
        self.root = self._scan(root)
        self.names = []  # pending: ((folder, name, node or None), ...) each to be set at once; the last one's folder makes it certain

    def _scan(self, path):
        if os.path.isdir(path):
            node = Folder()
            for name in os.listdir(path):
                node.live[name] = node.durable[name] = self._scan(os.path.join(path, name))
        else:
            with open(path, "rb") as f:
                node = File(f.read())
        self.inodes[os.stat(path).st_ino] = node
        return node

    def _at(self, path):
        """The folder that holds the last name of the path, as programs see it now, and that name."""
        *folders, name = os.path.normpath(path).strip("/").split("/")
        node = self.root
        for folder in folders:
            node = node.live[folder]
        return node, name

    def _name(self, *changes):
        for folder, name, node in changes:
            if node is None:
                del folder.live[name]
            else:
                folder.live[name] = node
        self.names.append(changes)

    def _set(self, changes):
        for folder, name, node in changes:
            if node is None:
                folder.durable.pop(name, None)
            else:
                folder.durable[name] = node

    def _sync_names(self, folder):
        """What comes before on the same names is overtaken."""
        keep, touched = [], set()
        for changes in reversed(self.names):
            keys = {(id(f), name) for f, name, _ in changes}
            if changes[-1][0] is folder:
                touched |= keys
                keep.append((True, changes))
            elif not keys & touched:
                keep.append((False, changes))
        self.names = []
        for certain, changes in reversed(keep):
            if certain:
                self._set(changes)
            else:
                self.names.append(changes)

    def replay(self, path, chance=None):
        """Reads a journal; returns how many records it has. chance: of what reached the disk when a sync failed."""
        with open(path, "rb") as f:
            records = 0
            for line in f:
                records += 1
                kind, *fields = line.decode().rstrip("\n").split("\t")
                if kind == "W":
                    ino, offset, length = map(int, fields)
                    data = f.read(length + 1)[:-1]
                    if ino in self.inodes:
                        self.inodes[ino].pending.append((offset, data))
                elif kind == "T" and int(fields[0]) in self.inodes:
                    self.inodes[int(fields[0])].pending.append((int(fields[1]), None))
                elif kind == "S":
                    node = self.inodes.get(int(fields[0]))
                    if isinstance(node, Folder):
                        self._sync_names(node)
                    elif node:
                        node.sync()
                elif kind == "F":
                    node = self.inodes.get(int(fields[0]))
                    if isinstance(node, File):
                        node.give_up(chance)
                elif kind in "CD":
                    node = self.inodes[int(fields[0])] = File() if kind == "C" else Folder()
                    self._name((*self._at(fields[1]), node))
                elif kind == "R":
                    (a, old), (b, new) = self._at(fields[0]), self._at(fields[1])
                    node = a.live[old]
                    self._name((a, old, None), (b, new, node))
                elif kind == "U":
                    self._name((*self._at(fields[0]), None))
        return records

    def fail(self, chance):
        """The power fails: some of what is not certain is there, the rest is not."""
        keeps = chance.choice((0, 0.5, 1, chance.random()))
        for changes in self.names:
            if chance.random() < keeps:
                self._set(changes)
        self.names = []
        for node in self.inodes.values():
            if isinstance(node, File):
                node.fail(chance)

    def write(self, root, last=(), apart=0):
        """As a folder in the place of root; what stands in `last` is younger than the rest by `apart` seconds."""
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(root)
        later = []
        self._write(self.root, root, "", last, later)
        time.sleep(apart)
        for node, path in later:
            self._write(node, path, None, (), [])

    def _write(self, folder, path, below, last, later):
        for name, node in folder.durable.items():
            to, relative = os.path.join(path, name), None if below is None else f"{below}{name}"
            if relative in last:
                later.append((node, to))
                os.mkdir(to, 0o700)
            elif isinstance(node, Folder):
                os.mkdir(to, 0o700)
                self._write(node, to, None if below is None else relative + "/", last, later)
            else:
                with open(os.open(to, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
                    f.write(node.durable)
