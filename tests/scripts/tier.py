#!/usr/bin/env python3
"""Two tiers: the same pages go up and down whatever the scheme, every read is right, and luf asks for next to no flush.

The whole comparison, in which the shares are those that are published, is script-tier-long.
"""

from common import Missing, boot, changed, main, records, result, settings

RUNS = {
    "llm": "bench tier --pages 1984 --reps 1 --schemes like-linux-6.12,luf",
    "xsbench": "bench tier --shape xsbench --pages 1024 --accesses 1000 --reps 1 --schemes like-linux-6.12,migrc,luf",
    "anonymous": "bench tier --mapping rw --pages 2048 --accesses 1000 --reps 1 --schemes batch,migrc,luf",
    "spaces": "bench tier --procs 3 --pages 1024 --accesses 1900 --reps 1 --schemes luf,stamp",
}
LONG = {"llm": "set watermark_gap=512; bench tier --shape llm --threads 3 --schemes baseline,like-linux-6.12,batch,migrc,luf,stamp"}
TURNS = 5  # of each fast frame, at least
APART = 5.0  # percent between schemes, at most
# In the short run whole files are in memory or not as one page more or less was free, and are promoted or read in.
SAME = {"short": ("pages_demoted",), "long": ("pages_promoted", "pages_demoted")}
# Percent fewer than under like-linux-6.12, at least: the short run has two rounds, and each ends with a payment.
FEWER = {"short": 95.0, "long": 97.0}


def apart(values: list[int]) -> float:
    return 100 * (max(values) - min(values)) / max(min(values), 1)


def asked(record: dict) -> int:
    counters = record["counters"]
    return counters["ipis_sent"] + counters["bcast_syncs"]


def check_reads(name: str, found: list[dict]) -> None:
    for record in found:
        counters = record["counters"]
        result(f"{name}.{record['scheme']}.reads", counters["stale_reads"] == 0 < counters["reads_verified"],
               f"{counters['reads_verified']} verified, {counters['stale_reads']} wrong")
        result(f"{name}.{record['scheme']}.verdicts", counters["oracle_unknown"] == 0 < counters["oracle_checked"],
               f"{counters['oracle_unknown']} of {counters['oracle_checked']} frames without a verdict")
        result(f"{name}.{record['scheme']}.moves", counters["pages_demoted"] > 0,
               f"{counters['pages_promoted']} promoted, {counters['pages_demoted']} demoted")


def check_llm(found: dict[str, dict], kind: str) -> None:
    for key in SAME[kind]:
        values = [record["counters"][key] for record in found.values()]
        result(f"llm.same.{key}", apart(values) <= APART, f"{values}: {apart(values):.1f} % apart")
    for scheme, record in found.items():
        result(f"llm.{scheme}.turns", record["tier"]["fast_turns"] >= TURNS, f"{record['tier']['fast_turns']}")
    linux, luf = found["like-linux-6.12"], found["luf"]
    for what, now, then in (("shootdowns", luf["counters"]["shootdowns"], linux["counters"]["shootdowns"]),
                            ("asked", asked(luf), asked(linux))):
        result(f"llm.luf.{what}", changed(now, then) >= FEWER[kind], f"{now} instead of {then}: {changed(now, then):.2f} % fewer")


def body(runs: dict[str, str] = RUNS, kind: str = "short") -> None:
    run = boot("; ".join(runs.values()))
    found = [record for record in records.extract(run.text).records if "tier" in record]
    if run.guest_rc != 0:
        raise Missing(f"rc={run.guest_rc}")
    for name, command in runs.items():
        schemes = command.split()[-1].split(",")
        mine, found = found[:len(schemes)], found[len(schemes):]
        result(f"{name}.all", [record["scheme"] for record in mine] == schemes, f"{settings().arch}: {len(mine)} records")
        check_reads(name, mine)
        if name == "llm":
            check_llm({record["scheme"]: record for record in mine}, kind)


if __name__ == "__main__":
    main(body)
