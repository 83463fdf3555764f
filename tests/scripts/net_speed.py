#!/usr/bin/env python3
"""How fast each card is under the emulator: a download over HTTP and the round trip of a small page, beside virtio in the same run.

For people and `make figures`; no test judges it, as it is the host's time.
"""

from __future__ import annotations

import http.client
import threading
import time
from statistics import quantiles

from common import Console, Missing, main, noted, result, settings
from net import TOKEN, free_port
from net_http import bearer, post

CARDS = {"x86_64": ("virtio", "e1000", "e1000e"), "arm64": ("virtio", "virtio-mmio", "e1000", "e1000e")}
BASELINE = "virtio"
LAPS = 2  # boots of each card, in turn; the best one counts, as others had a busier host
DOWNLOADS, TRIPS = 6, 300
OUTPUT = "; ".join(["list tests"] * 60)  # prints what is downloaded
HOST_FACTOR = 2.0  # absolute figures are kept unless they are so far off: another host
RATIO_FACTOR = 1.25


def fetch(connection: http.client.HTTPConnection, page: str) -> bytes:
    connection.request("GET", page, headers=bearer(TOKEN))
    answer = connection.getresponse()
    data = answer.read()
    if answer.status != 200:
        raise Missing(f"{page}: {answer.status}")
    return data


def read_on(console: Console) -> None:
    """A serial line that nobody reads holds up who prints."""
    while console.read(5):
        pass


def measure(card: str) -> tuple[float, float]:
    """MB/s of the best download, microseconds that one in ten round trips is below: what a busy host disturbs least."""
    port = free_port()
    with Console(NET=f"{card},{port}-80", ARGS=f"ip=dhcp net.http=80 net.token={TOKEN}") as console:
        console.expect(b"10.0.2.15/24 gw 10.0.2.2", 30)
        threading.Thread(target=read_on, args=(console,), daemon=True).start()
        page = f"/api/v1/run/{post(port, OUTPUT)['id']}/output"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        rates, trips = [], []
        for _ in range(DOWNLOADS):
            began = time.perf_counter()
            rates.append(len(fetch(connection, page)) / (time.perf_counter() - began) / 1e6)
        for _ in range(TRIPS):
            began = time.perf_counter()
            fetch(connection, "/healthz")
            trips.append((time.perf_counter() - began) * 1e6)
        connection.close()
    return max(rates), quantiles(trips, n=10)[0]


def body() -> None:
    cards = CARDS[settings().arch]
    best = {card: (0.0, float("inf")) for card in cards}
    for _ in range(LAPS):
        for card in cards:
            rate, trip = measure(card)
            best[card] = max(best[card][0], rate), min(best[card][1], trip)
    for card, (rate, trip) in best.items():
        name = card.replace("-", "_")
        noted(f"net.{name}.rate", rate, HOST_FACTOR)
        noted(f"net.{name}.trip", trip, HOST_FACTOR)
        if card != BASELINE:
            noted(f"net.{name}.rate_of_virtio", rate / best[BASELINE][0], RATIO_FACTOR)
            noted(f"net.{name}.trip_of_virtio", trip / best[BASELINE][1], RATIO_FACTOR)
        result(card, rate > 0, f"{rate:.1f} MB/s, {rate / best[BASELINE][0]:.2f} of virtio's; round trip {trip:.0f} us, "
               f"{trip / best[BASELINE][1]:.2f} of virtio's")


if __name__ == "__main__":
    main(body)
