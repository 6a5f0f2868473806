#!/usr/bin/env python3
"""Fits the two models of `dsp/src/answer` to a corpus and writes their weights.

    python3 train.py --corpus DIR [--noises DIR…] [--check DIR…] --listen ".../answers" --out dsp/src/answer/weights.txt

`--corpus` and `--check` are folders that `corpus.py` made; nothing of a `--check` folder is learned from, its figures are
printed. `--listen` is the example `answers` of dsp. Needs numpy and lightgbm. The same corpus gives the same weights.
"""
import argparse
import json
import os
import subprocess

import lightgbm
import numpy as np

STEP_MILLIS = 80
HUMAN, MACHINE, NOT_SURE = 1, 2, 3
NAMES = ["onset_ms", "since_ms", "quiet_ms", "span_ms", "first_burst_ms", "this_burst_ms", "longest_burst_ms", "bursts",
         "first_gap_ms", "latest_gap_ms", "longest_gap_ms", "mean_gap_ms", "sounding_ms", "sounding_share",
         "voiced_share", "level_moves_db", "peak_over_mean_db", "over_floor_db", "burst_level_change_db", "end_level_db",
         "syllables", "syllables_a_second", "since_syllable_ms", "hz_mean", "hz_moves", "low_share_mean",
         "low_share_moves", "peak_share_mean", "still_share", "tone_share", "floor_db", "end_hz_change", "phrases", "stops",
         "phrases_span_ms", "loud_ms", "first_phrase_ms", "this_phrase_ms", "longest_phrase_ms", "latest_pause_ms",
         "longest_pause_ms", "since_loud_ms"]
# More speech is more of a machine, whatever else.
MONOTONE = {"span_ms": 1, "longest_burst_ms": 1, "sounding_ms": 1, "syllables": 1, "phrases_span_ms": 1, "loud_ms": 1,
            "longest_phrase_ms": 1}
# When a sound begins and how loud the line is says of a corpus what it is, of a call nothing.
NOT_FOR_NOBODY = {"onset_ms", "floor_db"}
# Asked only when a verdict is due, so it may be larger.
NOBODY_TREES = 200
# The limit that is shipped, how much closer to 1 it lies while it speaks, and the share of it below which it is a person's
# after 1.9 s of quiet: `dsp/src/answer.rs`.
SHIPPED, SPEAKING, PERSON_SHARE = .7, 10, .3
# What a file of a class counts: in a field of calls half are machines, and of five people one answers at length.
SHARES = {"short": .35, "long": .15, "human_short": .35, "human_long": .15, "machine_beep": .25, "machine": .25,
          "machine_nobeep": .25}


def rows_of(folder, listen):
    """(features, number of the file, milliseconds, items) of a corpus; kept beside it."""
    items = json.load(open(os.path.join(folder, "labels.json")))["items"]
    kept = os.path.join(folder, "features.npy")
    newest = os.path.getmtime(listen)
    if not os.path.exists(kept) or os.path.getmtime(kept) < newest:
        files = [os.path.join(folder, i["file"]) for i in items]
        done = subprocess.run([listen, "features", str(STEP_MILLIS), *files], stdout=subprocess.PIPE, check=True)
        np.save(kept, np.frombuffer(done.stdout, "<f4").reshape(-1, 2 + len(NAMES)))
    rows = np.load(kept)
    return rows[:, 2:], rows[:, 0].astype(int), rows[:, 1], items


def fit(x, y, weights, names, trees, leaves, in_leaf):
    data = lightgbm.Dataset(x, y, weight=weights, free_raw_data=False)
    params = dict(objective="binary", learning_rate=.12, num_leaves=leaves, min_data_in_leaf=in_leaf, lambda_l2=5.0,
                  feature_fraction=.6, bagging_fraction=.6, bagging_freq=1, seed=1, deterministic=True, num_threads=1,
                  force_row_wise=True, verbose=-1, max_bin=127,
                  monotone_constraints=[MONOTONE.get(n, 0) for n in names] if names else None)
    return lightgbm.train({k: v for k, v in params.items() if v is not None}, data, trees)


def written(name, booster, columns, shift=0.0, scale=1.0):
    """A model as the crate reads it."""
    def node(n):
        if "leaf_value" in n:
            return f"={n['leaf_value']:.5g}"
        return f"{columns[n['split_feature']]}:{n['threshold']:.6g} {node(n['left_child'])} {node(n['right_child'])}"
    trees = [f"tree {node(t['tree_structure'])}" for t in booster.dump_model()["tree_info"]]
    return "\n".join([f"model {name}", f"shift {shift:.5g}", f"scale {scale:.5g}", *trees]) + "\n"


def epochs(rows):
    """Rows that count for the machine's model: speech of a call up to its beep, weights, and whether it is a machine."""
    x, of, at, items = rows
    ends = np.array([next((e["t_ms"] for e in i["events"] if e["event"] == "beep"), 1e9) for i in items])
    known = np.array([i["expect"] in ("human", "machine") for i in items])
    here = known[of] & (at < ends[of]) & (x[:, NAMES.index("since_ms")] < 10000)
    y = np.array([i["expect"] == "machine" for i in items])[of]
    count = np.bincount(of[here], minlength=len(items))
    cls = [i["cls"] for i in items]
    share = np.array([SHARES.get(c, 0) / cls.count(c) for c in cls])
    weights = share[of] / np.maximum(count[of], 1)
    return here, y, weights


def nobodys(args, columns):
    """The model of whether nobody speaks, from the corpus and those of noise and tones."""
    xs, ys, ws = [], [], []
    for folder in [args.corpus, *args.noises]:
        x, of, at, items = rows_of(folder, args.listen)
        nobody = np.array([i["expect"] == "none" for i in items])
        speech = np.array([i["expect"] in ("human", "machine") for i in items])
        starts = np.array([i["speech_start_ms"] or 0 for i in items])
        here = (nobody | speech)[of] & (at > starts[of] + 150)
        count = np.bincount(of[here], minlength=len(items))
        xs.append(x[here][:, columns])
        ys.append(nobody[of][here])
        # Each file counts once, however long it is.
        ws.append(1 / count[of[here]])
    x, y, w = np.concatenate(xs), np.concatenate(ys), np.concatenate(ws)
    w = np.where(y, w / w[y].sum(), w / w[~y].sum()) * len(y) / 2
    return fit(x, y, w, None, NOBODY_TREES, args.leaves, 300)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--corpus", required=True)
    ap.add_argument("--noises", nargs="*", default=[], help="more folders, for the model of nobody only")
    ap.add_argument("--check", nargs="*", default=[])
    ap.add_argument("--listen", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--trees", type=int, default=80)
    ap.add_argument("--leaves", type=int, default=16)
    args = ap.parse_args()
    rows = rows_of(args.corpus, args.listen)
    x, of, at, items = rows
    here, y, weights = epochs(rows)
    columns = list(range(len(NAMES)))
    others = [k for k in columns if NAMES[k] not in NOT_FOR_NOBODY]
    machine = fit(x[here], y[here], weights[here] * here.sum() / weights[here].sum(), NAMES, args.trees, args.leaves,
                  1000)
    nobody = nobodys(args, others)
    head = "# Written by tests/answer/train.py; see dsp/src/answer/forest.rs for what the lines mean.\n"
    open(args.out, "w").write(head + written("machine", machine, columns) + written("nobody", nobody, others))
    gain = machine.feature_importance("gain")
    print("machine:", ", ".join(f"{NAMES[columns[k]]} {gain[k] / gain.sum():.2f}" for k in np.argsort(-gain)[:14]))
    for folder in args.check:
        print(folder)
        r = rows_of(folder, args.listen)
        curve(r, machine.predict(r[0]))


def verdicts(rows, p, limit, person=.05, waits=560, hello=1400, breath=1200, owed=1900, waits_max=3300,
             judges_within=9000):
    """What the judge of `dsp/src/answer.rs` says of speech: class → (verdict, ms after speech began, after it ended)."""
    x, of, at, items = rows
    quiet, span, since, below, loud = (x[:, NAMES.index(n)] for n in ("quiet_ms", "span_ms", "since_ms", "since_loud_ms",
                                                                     "phrases_span_ms"))
    quiet, span = np.maximum(quiet, below - 200), np.minimum(span, loud)
    said = np.zeros(len(p), int)
    late = since >= judges_within
    over = (quiet >= waits_max) | (late & (quiet >= waits))
    said[over] = np.where(p[over] < limit, HUMAN, MACHINE)
    said[(quiet >= owed) & (p < PERSON_SHARE * limit)] = HUMAN
    said[(quiet >= np.where(span <= hello, waits, breath)) & (p < person)] = HUMAN
    said[(p >= 1 - (1 - limit) / SPEAKING) | (late & (quiet < waits) & (p >= .5))] = MACHINE
    said[(quiet < waits) & (span < 1500)] = 0
    said_at = np.where(said > 0)[0]
    numbers, first = np.unique(of[said_at], return_index=True)
    firsts = dict(zip(numbers, said_at[first]))
    lasts = dict(zip(of, range(len(of))))
    out = {}
    for n, i in enumerate(items):
        if i["expect"] not in ("human", "machine"):
            continue
        k = firsts.get(n)
        if k is not None:
            who, when = said[k], at[k]
        elif n in lasts:
            # The call is over before a verdict fell.
            who, when = (HUMAN if p[lasts[n]] < limit else MACHINE), i["dur_ms"]
        else:
            who, when = NOT_SURE, np.inf
        for e in i["events"]:
            if e["event"] == "beep" and when > e["t_ms"]:
                who, when = MACHINE, e["end_ms"] + 60
                break
        spoken = [e for e in i["events"] if e["event"] == "speech"]
        ended = [e["end_ms"] for e in spoken if e["t_ms"] <= when]
        out.setdefault(i["cls"], []).append((who, when - spoken[0]["t_ms"], when - (ended[-1] if ended else np.nan)))
    return out


def interval(hits, n):
    """95 % of Wilson's score."""
    z, share = 1.96, hits / n
    middle, reach = share + z * z / 2 / n, z * np.sqrt(share * (1 - share) / n + z * z / 4 / n / n)
    return f"{100 * share:.1f} ({100 * (middle - reach) / (1 + z * z / n):.1f} to {100 * (middle + reach) / (1 + z * z / n):.1f})"


def curve(rows, p):
    """The trade between lost people and passed machines, a line for each operating point."""
    x, of, at, items = rows
    since = x[:, NAMES.index("since_ms")]
    early = (since >= 2900) & (since < 3000) & np.array([i["expect"] == "machine" for i in items])[of]
    print(f"  machines at 3 s of their call, probability over 0.5: {100 * np.mean(p[early] > .5):.1f} of {early.sum()}")
    for limit in (.3, .4, .5, .6, SHIPPED, .8, .9):
        out = verdicts(rows, p, limit)
        of_class = lambda part, who: [np.sum([v[0] == who for c in out if part in c for v in out[c]]), sum(len(out[c]) for c in out if part in c)]
        share = lambda part, who: of_class(part, who)[0] / of_class(part, who)[1]
        wait = np.nanmedian([v[2] for c in out if "short" in c for v in out[c] if v[0] == HUMAN])
        lost = .8 * share("short", MACHINE) + .2 * share("long", MACHINE)
        mix = .4 * share("short", HUMAN) + .1 * share("long", HUMAN) + .5 * share("machine", MACHINE)
        print(f"  {limit:.2f}: mix {100 * mix:.1f}, lost {100 * lost:.1f}, short {interval(*of_class('short', HUMAN))} after {wait:.0f} ms,"
              f" long {interval(*of_class('long', HUMAN))}, machine {interval(*of_class('machine', MACHINE))}")


if __name__ == "__main__":
    main()
