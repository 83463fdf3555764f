#!/usr/bin/env python3
"""--pmu: what the emulated PMU of arm64 counts is what instruction counting counts; where there is none, why."""

from common import bench, boot, main, records, result, settings

RUN = "bench migrate --threads 0 --pages 1024 --warmup 1 --reps 10 --schemes baseline,batch"
AROUND = 1.03  # beside the path: the reading of Tarry's own counters


def body() -> None:
    found, plain = bench(f"{RUN} --pmu"), bench(RUN)
    result("off", all("pmu" not in r for r in plain.values()), "no key without --pmu")
    other = bench("bench floor --pmu --reps 2 --warmup 0")["floor"]
    result("no-part", other["pmu"] is None and "pmu_why" in other, str(other.get("pmu_why")))
    path = {name: [r[name]["median"] for r in (found, plain)] for name in ("baseline", "batch")}
    result("changes-nothing", all(abs(a - b) < 1 for a, b in path.values()), f"{path}")
    if settings().arch == "x86_64":
        result("not-here", found["batch"]["pmu"] is None and "Zen 2" in found["batch"]["pmu_why"], str(found["batch"].get("pmu_why")))
        return
    for scheme in ("baseline", "batch"):
        counts, pages = found[scheme]["pmu"], found[scheme]["counters"]["pages_migrated"]
        each, asked = counts["instructions"] / pages, found[scheme]["median"]
        result(f"{scheme}.instructions", asked <= each < asked * AROUND, f"{each:.2f} a page by the PMU, {asked} by the clock")
        result(f"{scheme}.cycles", counts["cycles"] >= counts["instructions"], f"{counts}")
        result(f"{scheme}.others", all(counts[n] is None for n in ("dtlb_walks", "tlb_flushes")), "QEMU counts none of them")
    text = boot(f"{RUN} --pmu", SMP=2).text
    result("two-cpus", records.extract(text).records[0]["pmu"]["cycles"] > 0, "each CPU hands in its counts")
    result("table", "pmu batch, per unit: cycles " in text and "no counter for dtlb_walks" in text, "")


main(body)
