#!/usr/bin/env python3
"""Plays special information tones of every code through bad lines and counts which are told right by `trunkline analyze`.

    python3 sit.py --out DIR --analyze "…/trunkline analyze" [--count 100]

Each code `--count` times: all tones up to 1.5 % too fast or too slow, each up to 0.5 % off, 0 to 30 ms between them, −10 to
−35 dBm0, 3 dB apart; every other one through GSM; noise 15 to 30 dB below; one in five with packets of 20 ms lost (2 %); a
recorded or spoken word right behind would need voices: noise stands for it. Needs numpy and sox.
"""
import argparse
import json
import os
import subprocess
from collections import Counter

import numpy as np

import corpus

LOW, HIGH = (913.8, 1370.6), (985.2, 1428.5)
CODES = {
    "intercept": ((0, 0), (0, 0)), "vacant_code": ((1, 0), (1, 0)),
    "reorder_local": ((0, 1), (0, 1)), "reorder_long_distance": ((1, 0), (0, 1)),
    "no_circuit_local": ((1, 1), (1, 1)), "no_circuit_long_distance": ((0, 0), (1, 1)),
    "ineffective": ((0, 1), (1, 0)), "international": None,
}


def played(code, r):
    if CODES[code] is None:
        hz, millis = (950.0, 1400.0, 1800.0), (330, 330, 330)
    else:
        high, long = CODES[code]
        hz = tuple((HIGH if h else LOW)[n] for n, h in enumerate(high)) + (1776.7,)
        millis = tuple(380 if x else 274 for x in long) + (380,)
    speed, parts = r.uniform(0.985, 1.015), [np.zeros(int(r.uniform(1000, 4000)))]
    for f, m in zip(hz, millis):
        f = f * speed * r.uniform(0.995, 1.005)
        t = np.arange(int(m * 8 / speed))
        parts.append(np.sin(2 * np.pi * f / 8000 * t + r.uniform(0, 6)) * 10 ** (r.uniform(-1.5, 1.5) / 20))
        parts.append(np.zeros(int(r.uniform(0, 240))))
    parts.append(np.zeros(2400))
    return np.concatenate(parts)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", required=True)
    ap.add_argument("--analyze", required=True)
    ap.add_argument("--count", type=int, default=100)
    ap.add_argument("--seed", type=int, default=1)
    args = ap.parse_args()
    os.makedirs(args.out, exist_ok=True)
    r, files, truth = np.random.default_rng(args.seed), [], {}
    for code in CODES:
        for n in range(args.count):
            level, ratio = r.uniform(-35, -10), r.uniform(15, 30)
            x = played(code, r) * corpus.dbm0(level) * np.sqrt(2)
            x = x + r.standard_normal(len(x)) * corpus.dbm0(level - ratio)
            if n % 5 == 4:
                for at in range(0, len(x), 160):
                    if r.random() < 0.02:
                        x[at:at + 160] = 0
            x = corpus.through_gsm(x) if n % 2 else x
            path = os.path.join(args.out, f"{code}_{n}{'_gsm' if n % 2 else ''}{'_loss' if n % 5 == 4 else ''}.wav")
            corpus.write_alaw(path, x)
            files.append(path)
            truth[path] = code
    said = {}
    out = subprocess.run([*args.analyze.split(), "--detect", "cpa", *files], stdout=subprocess.PIPE, check=True, text=True).stdout
    for line in out.splitlines():
        event = json.loads(line)
        if event["event"] == "sit":
            said.setdefault(event["file"], event["value"])
    for kind in ("", "_gsm", "_loss"):
        of = [f for f in files if (kind in f if kind else "_gsm" not in f and "_loss" not in f)]
        right = sum(said.get(f) == truth[f] for f in of)
        print(f"{kind[1:] or 'plain'}: {right} of {len(of)} right, {sum(f not in said for f in of)} not heard")
    wrong = Counter((truth[f], said[f]) for f in files if f in said and said[f] != truth[f])
    print("taken for another:", dict(wrong))


if __name__ == "__main__":
    main()
