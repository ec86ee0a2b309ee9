"""A relay that is 20 ms away: each reply leaves so long after what it answers has come."""
from measure.kit import *

DELAY_MSEC = 20
LINES = [int(n) for n in os.environ.get("RB_BENCH_LINES", "1,10,50").split(",")]
HEADLINE = 10
SECONDS = 2 if QUICK else 3
# Messages a second and connection that are about to be expected, to make runs of that many seconds.
ABOUT = {"smtp_source": 12, "pipelining": 48, "chunking": 190}


def measure(figures):
    figures["latency"] = {offer: {"by_connections": {}} for offer in OFFERS}
    log(f"\nlatency: every reply {DELAY_MSEC} ms late, in-flight 4, {ROUNDS} rounds; messages a second and connection, round trips for each message")
    sinks = {offer: bench_sink("latency-" + offer, ehlo, "--delay", str(DELAY_MSEC)) for offer, ehlo in OFFERS.items()}
    try:
        generator = Generator(sinks["pipelining"], 8000)
    except Missing as why:
        log(f"{why}")
        generator = None
    for lines in LINES:
        messages = {name: about * lines * SECONDS for name, about in ABOUT.items()}
        houses = {offer: build_house(f"latency-{offer}", sinks[offer], messages[offer], connections=lines) for offer in OFFERS}
        rounds = {name: [] for name in ABOUT}
        for _ in range(ROUNDS):
            if generator:
                rounds["smtp_source"].append(generator.run(sinks["pipelining"], messages["smtp_source"], lines))
            for offer in OFFERS:
                rounds[offer].append(announce(houses[offer], sinks[offer], messages[offer]))
        for house in houses.values():
            house.stop()
        for name, some in rounds.items():
            if some:
                result = {"per_connection": statistics.median(r["messages_per_second"] for r in some) / lines,
                          "round_trips_per_message": statistics.median(r["round_trips"] for r in some)}
                figures["latency"].setdefault(name, {"by_connections": {}})["by_connections"][str(lines)] = result
                log(f"    {lines:3} connections  {name:12} {result['per_connection']:8.1f} {result['round_trips_per_message']:8.2f}"
                    f"{'   (what the target speaks of)' if lines == HEADLINE and name in OFFERS else ''}")
    for some in figures["latency"].values():
        if str(HEADLINE) in some["by_connections"]:
            some.update(some["by_connections"][str(HEADLINE)], connections=HEADLINE)
    for sink in sinks.values():
        sink.process.end()
