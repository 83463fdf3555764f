#!/usr/bin/env python3
"""How fast each card is under the emulator: a download over HTTP and the round trip of a small page, beside virtio in the same run.

For people and `make figures`; no test judges it, as it is the host's time.
"""

from __future__ import annotations

import http.client
import threading
import time
from statistics import median, quantiles

from common import Console, Missing, main, noted, result, settings
from net import TOKEN, free_port
from net_http import bearer, post

CARDS = {"x86_64": ("virtio", "e1000", "e1000e"), "arm64": ("virtio", "virtio-mmio", "e1000", "e1000e")}
BASELINE = "virtio"
LAPS = 3  # boots of each card, in turn
DOWNLOADS, TRIPS = 40, 300  # of each boot
OUTPUT = "; ".join(["list tests"] * 60)  # prints what is downloaded
# Medians of three boots differ by less than 1.5 from run to run; a figure is kept unless it is off by more than any run was.
KEPT_WITHIN = 2.0


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


def measure(card: str, rates: list[float], trips: list[float]) -> None:
    """One boot: MB/s of each download, and the microseconds that one in ten round trips is below, as a busy host disturbs it least."""
    port = free_port()
    with Console(NET=f"{card},{port}-80", ARGS=f"ip=dhcp net.http=80 net.token={TOKEN}") as console:
        console.expect(b"10.0.2.15/24 gw 10.0.2.2", 30)
        threading.Thread(target=read_on, args=(console,), daemon=True).start()
        page = f"/api/v1/run/{post(port, OUTPUT)['id']}/output"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(DOWNLOADS):
            began = time.perf_counter()
            rates.append(len(fetch(connection, page)) / (time.perf_counter() - began) / 1e6)
        times = []
        for _ in range(TRIPS):
            began = time.perf_counter()
            fetch(connection, "/healthz")
            times.append((time.perf_counter() - began) * 1e6)
        trips.append(quantiles(times, n=10)[0])
        connection.close()


def body() -> None:
    cards = CARDS[settings().arch]
    rates: dict[str, list[float]] = {card: [] for card in cards}
    trips: dict[str, list[float]] = {card: [] for card in cards}
    for _ in range(LAPS):
        for card in cards:
            measure(card, rates[card], trips[card])
    rate, trip = ({card: median(those) for card, those in of.items()} for of in (rates, trips))
    noted("net.virtio.rate", rate[BASELINE], KEPT_WITHIN)
    noted("net.virtio.trip", trip[BASELINE], KEPT_WITHIN)
    for card in cards:
        if card != BASELINE:
            name = card.replace("-", "_")
            noted(f"net.{name}.rate_of_virtio", rate[card] / rate[BASELINE], KEPT_WITHIN)
            noted(f"net.{name}.trip_of_virtio", trip[card] / trip[BASELINE], KEPT_WITHIN)
        result(card, rate[card] > 0, f"{rate[card]:.1f} MB/s, {rate[card] / rate[BASELINE]:.1f} of virtio's; "
               f"round trip {trip[card]:.0f} us, {trip[card] / trip[BASELINE]:.1f} of virtio's")


if __name__ == "__main__":
    main(body)
