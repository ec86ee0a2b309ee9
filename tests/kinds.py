"""Kinds of organisation: what the flow tests that play one of them through share. Their texts and tables lie in tests/data/<kind>/.

    house = kinds.house("district", clock="2025-05-05T08:00:00Z")   a rig.House with the kind's files in house.path("data")
    ...
    kinds.judge_all(house, sink.mails())                            the flow's end: every mail judged, pictures of each distinct one

What is left to the flow is the story: who is imported with which rights, what is queued, who gets what. System mail (proofs, results)
is judged like any other.
"""
import base64
import glob
import html.parser
import os
import re
import shutil
import subprocess
import sys
import urllib.parse

from rig import BUILD, ROOT, TOOLS, House, check, equal, judge, text_of  # noqa: F401

SCREENS = os.path.join(ROOT, "build", "screens")


def house(kind, **options):
    """A house whose data are a copy of tests/data/<kind>: what a test changes there is its own."""
    made = House(kind, **options)
    made.kind = kind
    shutil.copytree(os.path.join(ROOT, "tests", "data", kind), made.path("data"))
    return made


def language_of(mail):
    return re.search(r'<html lang="([^"]+)"', text_of(mail, "html")).group(1)


def distinct(mails):
    """{name: mail}: the first of each list, language and subject that has an HTML part. Names are fit for files."""
    found, kinds_seen = {}, set()
    for mail in mails:
        if not mail.get_body(("html",)):
            continue
        list_ = re.search(r"<([^.>]+)", mail["List-Id"]).group(1) if mail["List-Id"] else "notice"
        language, key = language_of(mail), (str(mail["List-Id"]), language_of(mail), str(mail["Subject"]))
        if key in kinds_seen:
            continue
        kinds_seen.add(key)
        name = f"{list_}-{language}"
        found[name if name not in found else f"{name}-{len(found)}"] = mail
    return found


class Words(html.parser.HTMLParser):
    """The words and links that a reader of the HTML gets. What is hidden from screen readers repeats what is said elsewhere."""

    def __init__(self):
        super().__init__()
        self.words, self.links, self.skip = [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if self.skip:
            if tag not in ("br", "img", "meta", "hr"):
                self.skip.append(tag)
        elif tag in ("style", "title") or attributes.get("aria-hidden") == "true":
            self.skip.append(tag)
        elif tag == "a":
            self.links.append(attributes.get("href", ""))
        elif tag == "img":
            self.handle_data(" " + attributes.get("alt", "") + " ")
        if tag in ("br", "p", "td", "li", "h1", "h2", "h3", "h4", "h5", "h6", "pre"):
            self.words.append(" ")

    def handle_endtag(self, tag):
        if self.skip and self.skip[-1] == tag:
            self.skip.pop()

    def handle_data(self, data):
        if not self.skip:
            self.words.append(data)


def words_of(text):
    return re.findall(r"[^\W_]+", text)  # _emphasis_ in the plain text


def compare(path, mail):
    """The plain text, with the subject above it, has every word and every link of the HTML."""
    plain = mail.get_body(("plain",)).get_content()
    parser = Words()
    parser.feed(mail.get_body(("html",)).get_content())
    there = set(words_of(plain + " " + mail["Subject"]))
    missing = [word for word in words_of("".join(parser.words)) if word not in there]
    check(not missing, f"{path}: the plain text lacks {missing[:20]}")
    flat = re.sub(r"\s", "", plain)
    for link in parser.links:
        shown = urllib.parse.unquote(link.removeprefix("mailto:")) if link.startswith("mailto:") else link
        if link.startswith("tel:"):
            check(re.sub(r"[^+\d]", "", urllib.parse.unquote(link)) in re.sub(r"[^+\d\n]", "", plain), f"{path}: the plain text lacks {link}")
        else:
            check(shown in flat, f"{path}: the plain text lacks {link}")


def page_of(mail):
    """The HTML with its pictures in it, as a mail program shows them."""
    page = text_of(mail, "html").replace("\r\n", "\n")
    for part in mail.walk():
        id_ = (part["Content-ID"] or "").strip("<>")
        if id_:
            data = base64.b64encode(part.get_payload(decode=True)).decode()
            page = page.replace(f'"cid:{id_}"', f'"data:{part.get_content_type()};base64,{data}"')
    return page


def tool(name, *arguments):
    """False where the packages of tests/package.json cannot be had here."""
    done = subprocess.run([os.path.join(ROOT, "tests/tools", name), *arguments], capture_output=True, text=True, timeout=240,
                          stdin=subprocess.DEVNULL)
    check(done.returncode in (0, 69), f"{name} {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def judge_all(house, mails, access=0):
    """Every mail by parsers that are not ours; of each distinct one the calendar, the HTML, that its plain text says the same, and
    pictures in light and dark, build/screens/<kind>-<list>-<language>-<scheme>.png. access: of how many the HTML is looked at by axe,
    too, which takes seconds each. Returns the distinct ones, by name."""
    judge([mail.path for mail in mails])
    found, pages, calendars = distinct(mails), [], []
    folder = house.path("judged")
    os.makedirs(folder, exist_ok=True)
    for name, mail in found.items():
        compare(name, mail)
        pages.append(os.path.join(folder, name + ".html"))
        with open(pages[-1], "w") as f:
            f.write(page_of(mail))
    for i, mail in enumerate(mails):
        for part in mail.walk():
            if part.get_content_type() == "text/calendar":
                calendars.append(os.path.join(folder, f"{i}.ics"))
                with open(calendars[-1], "wb") as f:
                    f.write(part.get_payload(decode=True))
    for start in range(0, len(calendars), 200):
        done = subprocess.run([os.path.join(TOOLS, "judge_calendar"), *calendars[start:start + 200]], capture_output=True, text=True)
        check(done.returncode == 0, f"judge_calendar: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    if pages and tool("check_html", "--mail", *pages):
        if access:
            tool("check_access", *pages[:access])
        screens(house.kind, pages)
    return found


def screens(kind, pages):
    os.makedirs(SCREENS, exist_ok=True)
    for old in glob.glob(f"{SCREENS}/{kind}-*.png"):
        os.remove(old)
    wanted = []
    for page in pages:
        name = os.path.basename(page).removesuffix(".html")
        for scheme in ("light", "dark"):
            wanted += [page, f"{SCREENS}/{kind}-{name}-{scheme}.png", "800", scheme]
    tool("screenshot.js", *wanted)
