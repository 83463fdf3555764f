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
LONG = {
    "llm": "set watermark_gap=512; bench tier --shape llm --threads 3 --schemes baseline,like-linux-6.12,batch,migrc,luf,stamp",
    # The gap must be a small part of the fast tier, or which files are in memory is chance.
    "llm2048": "set watermark_gap=2048; bench tier --pages 16384 --reps 1 --schemes like-linux-6.12,batch,luf",
}
TURNS = 5  # of each fast frame, at least
SAMPLE_ONE_IN = 16  # accesses, before which an allocation is timed
WAITED = 10  # times as long as 99 % of those that nobody has to pay for
HINDERED = 30  # the same, where other CPUs had their turn meanwhile: 19 were seen
ALIKE = 2.0  # percent more or less than under batch, at most
APART = 5.0  # percent between schemes, at most
# In the short run whole files are in memory or not as one page more or less was free, and are promoted or read in.
SAME = {"short": ("pages_demoted",), "long": ("pages_promoted", "pages_demoted", "reclaimed")}
# Percent fewer than under like-linux-6.12, at least: the short run has two rounds, and each ends with a payment.
FEWER = {"short": 95.0, "long": 97.2}


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
        check_times(name, record)


def check_times(name: str, record: dict) -> None:
    """What allocations take, who pays waits, and what is held: each agrees with what was counted for another reason."""
    tier, counters = record["tier"], record["counters"]
    forced = counters["debts_forced_by"]
    who, alloc, holds = f"{name}.{record['scheme']}", tier["alloc_ns"], counters.get("migrc_kept", 0) > 0
    expected = tier["ops"] / SAMPLE_ONE_IN
    result(f"{who}.allocs", abs(tier["allocs"] - expected) < 5 * expected ** 0.5 and not tier["allocs_failed"] and
           0 < alloc["p50"] <= alloc["p99"] <= alloc["max"], f"{tier['allocs']} of about {expected:.0f}: {alloc}, {tier['allocs_failed']} failed")
    result(f"{who}.payments", sum(tier["paid_ns"]) == tier["payments"] <= counters["debts_forced"] and
           (tier["payments"] > 0) == (tier["wait_paid_ns"] > 0) == (counters["debts_forced"] > 0),
           f"{tier['payments']} for {counters['debts_forced']} debts: {forced['leave']} at an exit, {forced['pressure']} under pressure")
    if record["knobs"]["defer"] in ("migrc", "luf"):  # stamp pays frame by frame: a debt that it has paid for in part is no younger
        result(f"{who}.ages", sum(tier["debt_age_ns"]) == counters["debts_forced"], f"{tier['debt_age_ns']}")
    mean, most = tier["held_pages_mean"], counters["held_pages_max"]
    result(f"{who}.held", 0 < most / 20 < mean < most if holds else mean == most == 0, f"{mean} on an average, {most} at most")


def check_waits(name: str, found: dict[str, dict], kind: str) -> None:
    """The longest allocation is that of whoever paid, and without a deferral nobody waits."""
    linux = found["like-linux-6.12"]["tier"]["alloc_ns"]
    result(f"{name}.nobody-waits", linux["max"] < HINDERED * linux["p99"], f"{linux}")
    longest = found["luf"]["tier"]["alloc_ns"]["max"]
    # Of the few payments of a short run perhaps none falls on an allocation that is timed.
    if kind == "long":
        result(f"{name}.payer-waits", longest > WAITED * linux["p99"], f"{longest} ns, without payments {linux}")


def check_anonymous(found: dict[str, dict]) -> None:
    """Pages that may be written defer nothing. How many requests ride on an interrupt that is under way is chance, so both are counted."""
    batch = found["batch"]["counters"]
    for scheme, record in found.items():
        counters = record["counters"]
        for what, now, then in (("shootdowns", counters["shootdowns"], batch["shootdowns"]),
                                ("requests", asked(record) + counters["ipis_merged"], asked(found["batch"]) + batch["ipis_merged"])):
            result(f"anonymous.{scheme}.{what}", abs(changed(now, then)) <= ALIKE, f"{now}, batch {then}")
        result(f"anonymous.{scheme}.debts", counters["debts_created"] == 0, f"{counters['debts_created']} debts")


def check_llm(name: str, found: dict[str, dict], kind: str) -> None:
    for key in SAME[kind]:
        values = [record["counters"][key] for record in found.values()]
        result(f"{name}.same.{key}", apart(values) <= APART, f"{values}: {apart(values):.1f} % apart")
    for scheme, record in found.items():
        result(f"{name}.{scheme}.turns", record["tier"]["fast_turns"] >= TURNS, f"{record['tier']['fast_turns']}")
    check_waits(name, found, kind)
    linux, luf = found["like-linux-6.12"], found["luf"]
    for what, now, then in (("shootdowns", luf["counters"]["shootdowns"], linux["counters"]["shootdowns"]),
                            ("asked", asked(luf), asked(linux))):
        result(f"{name}.luf.{what}", changed(now, then) >= FEWER[kind], f"{now} instead of {then}: {changed(now, then):.2f} % fewer")


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
        if name.startswith("llm"):
            check_llm(name, {record["scheme"]: record for record in mine}, kind)
        if name == "anonymous":
            check_anonymous({record["scheme"]: record for record in mine})


if __name__ == "__main__":
    main(body)
