"""The web door: pages for 200 connections (wrk), and 10,000 people who opt out at once, each yes durable on this machine's disk."""
from clicks import Clicks
from measure.kit import *

CLICKS = int(os.environ.get("RB_BENCH_CLICKS", "2000" if QUICK else "10000"))
PAGE_CONNECTIONS, CLICK_CONNECTIONS = 200, 50
SECONDS = 2 if QUICK else 5


def links_of(house, sink):
    house.wait_for(house.queue(house.announcement()))
    return [re.search(r"<https?://[^/]+(/[^>]+)>", url)[1] for (url,) in sink.heads("List-Unsubscribe") if url]


def pages(house, link):
    """wrk's own words."""
    wrk = program("wrk")
    if not wrk:
        raise Missing("wrk is not installed")
    done = subprocess.run([wrk, "-t", "2", "-c", str(PAGE_CONNECTIONS), "-d", f"{SECONDS}s", "--latency", f"http://127.0.0.1:{house.web_port}{link}"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    check("Non-2xx" not in done and "Socket errors" not in done, done)
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", done).groups()
    return {"per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1]), "p99_msec": float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]}


def clicks(house, links):
    some = Clicks(house.web_port, links, CLICK_CONNECTIONS)
    seconds = some.run(120)
    equal(dict(some.statuses), {200: len(links)}, "answers")
    until("all are applied", lambda: not os.listdir(house.path("spool", "requests", "web")), 60)
    msec = sorted(some.msec)
    return {"per_second": len(links) / seconds, "p99_msec": msec[len(msec) * 99 // 100]}


def measure(figures):
    log(f"\ndoor: pages for {PAGE_CONNECTIONS} connections, {CLICKS:,} one-click opt-outs over {CLICK_CONNECTIONS}, {ROUNDS} rounds")
    house = House("bench-door", clock=None)
    house.config["web"]["proxies"] = "127.0.0.1"
    sink = house.use_sink()
    house.start()
    house.start_web()
    house.import_people(CLICKS)
    links = links_of(house, sink)
    equal(len(set(links)), CLICKS, "links")
    rounds = {"pages": [], "clicks": []}
    for _ in range(ROUNDS):
        try:
            rounds["pages"].append(pages(house, links[0]))
        except Missing as why:
            log(f"{why}")
        rounds["clicks"].append(clicks(house, links))  # the first time they leave, later ones change nothing: the door knows no difference
    figures["door"] = {name: medians(some) for name, some in rounds.items() if some}
    figures["door"]["peak_kib"] = memory_kib(house.web.pid)
    for name, some in figures["door"].items():
        if name in rounds:
            log(f"    {name:8} {some['per_second']:10,.0f} a second, 99 % within {some['p99_msec']:6.1f} ms")
    log(f"    the door's peak memory: {figures['door']['peak_kib']:,} KiB")
    house.stop()
