#!/usr/bin/env python3
"""Makes announcements and what a line makes of them, and counts how many the fingerprints recognise.

    python3 announcements.py --out DIR --listen ".../fingerprints" [--others N] [--seed N] [--other FILE…]

Fifty recorded prompts of 4 s and more are the announcements. Each is heard from five offsets through a line: other level,
GSM, packets that are lost, noise 10 to 30 dB below it, another announcement's beginning cut off. `--other` are files in
which nothing may be recognised. Needs what `corpus.py` needs.
"""
import argparse
import os
import subprocess

import numpy as np

import corpus


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", required=True)
    ap.add_argument("--listen", required=True)
    ap.add_argument("--sounds", default="/usr/share/asterisk/sounds")
    ap.add_argument("--other", nargs="*", default=[])
    ap.add_argument("--others", type=int, default=0, help="so many more prints that no recording has")
    ap.add_argument("--seed", type=int, default=5, help="which prompts, and what the line does to them")
    args = ap.parse_args()
    os.makedirs(args.out, exist_ok=True)
    r, known, heard = np.random.default_rng(args.seed), [], []
    for folder in ("it_IT_f_Menardi", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU", "es_MX_f_Allison", "fr_CA_f_June"):
        root = os.path.join(args.sounds, folder)
        files = sorted(f for f in os.listdir(root) if f.endswith(".wav") and os.path.getsize(os.path.join(root, f)) > 64000)
        for name in list(r.permutation(files))[:10]:
            x = corpus.trimmed(corpus.read_wav(os.path.join(root, name)))
            path = os.path.join(args.out, f"known_{len(known):02d}.wav")
            corpus.write_alaw(path, x * (3000 / corpus.loudness(x)))
            known.append(path)
            for k in range(5):
                y = x[int(r.uniform(0, max(1, len(x) - 8 * 2600))):]
                level, ratio = r.uniform(-34, -8), r.uniform(10, 30)
                y = y * corpus.dbm0(level) / corpus.loudness(y)
                y = y + r.standard_normal(len(y)) * corpus.dbm0(level - ratio)
                y = corpus.through_gsm(y) if k % 2 else y
                path = os.path.join(args.out, f"heard_{len(known) - 1:02d}_{k}_{ratio:.0f}dB.wav")
                corpus.write_alaw(path, y)
                heard.append(path)
    command = [args.listen, "--others", str(args.others), *known, "--", *heard, *args.other]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    right = wrong = false = 0
    took = []
    for line in said.splitlines():
        file, at, name, votes = line.split()
        if not os.path.basename(file).startswith("heard_"):
            false += at != "-"
            continue
        is_right = os.path.basename(name)[6:8] == os.path.basename(file)[6:8]
        in_time = at != "-" and int(at) <= 2500
        right += is_right and in_time
        wrong += at != "-" and not is_right
        if is_right:
            took.append(int(at))
    print(f"{right} of {len(heard)} recognised within 2.5 s ({len(took)} at all), {wrong} as another; median {np.median(took):.0f} ms;"
          f" {false} of {len(args.other)} other files recognised")


if __name__ == "__main__":
    main()
