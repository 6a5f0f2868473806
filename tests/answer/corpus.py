#!/usr/bin/env python3
"""Makes a labelled corpus of what is heard after an answer: people, machines, and everything that is neither.

    python3 corpus.py --split train --out DIR [--count 800] [--real VOICES]
    python3 corpus.py --split held  --out DIR [--count 200] [--real VOICES]

Every file is 8 kHz A-law WAV; `labels.json` says of each its class, who should be heard, and when speech and beeps
begin and end. The same arguments and package versions give the same octets.

Needs numpy; espeak-ng, flite, sox; optionally recorded prompts below /usr/share/asterisk/sounds (folders named in
`splits.json`) and music below /usr/share/asterisk/moh. `--real` mixes in recordings of people: a folder with
`manifest.json` whose items have `file`, `cls` (word, sentence, machine, announce, noise), `lang`, `source`, `speaker` and
perhaps `shared_speakers`. Nothing of what is made is shipped.

The two splits share no voice, no language, no text, no prompt, no frequency of a beep, no country of a tone.
"""
import argparse
import hashlib
import json
import os
import subprocess
import tempfile

import numpy as np

RATE = 8000
HERE = os.path.dirname(os.path.abspath(__file__))
# Short and long greetings of people, and machines with and without a beep, in full; of the others a part each.
CLASSES = {"short": 1, "long": 1, "machine_beep": 1, "machine": 1, "tone": .25, "fax": .2, "silence": .1,
           "noise": .4, "music": .25}
WHO = {"short": "human", "long": "human", "machine_beep": "machine", "machine": "machine", "fax": "fax"}


# ---------------------------------------------------------------- sound in and out

def read_wav(path):
    """Samples of an 8 kHz mono WAV, 16-bit PCM or A-law, as floats of 16-bit scale."""
    data = open(path, "rb").read()
    at, kind, bits = 12, 1, 16
    while at + 8 <= len(data):
        name, size = data[at:at + 4], int.from_bytes(data[at + 4:at + 8], "little")
        body = data[at + 8:at + 8 + size]
        if name == b"fmt ":
            kind, bits = int.from_bytes(body[:2], "little"), int.from_bytes(body[14:16], "little")
        elif name == b"data":
            if kind == 6:
                return ALAW[np.frombuffer(body, np.uint8)].astype(float)
            return np.frombuffer(body[:len(body) // 2 * 2], "<i2").astype(float) if bits == 16 else np.zeros(0)
        at += 8 + size + size % 2
    return np.zeros(0)


def read_gsm(path):
    raw = ["-t", "raw", "-r", "8000", "-e", "signed", "-b", "16", "-c", "1", "-"]
    return np.frombuffer(subprocess.run(["sox", "-D", path, *raw], stdout=subprocess.PIPE, check=True).stdout, "<i2").astype(float)


def alaw_table():
    """Linear values of the 256 A-law octets. G.711, table 1."""
    octets = np.arange(256) ^ 0x55
    segment, step = (octets >> 4) & 7, octets & 15
    value = np.where(segment == 0, step * 16 + 8, (step * 16 + 264) << np.maximum(segment - 1, 0))
    return np.where(octets & 0x80, value, -value)


ALAW = alaw_table()
ORDER = np.argsort(ALAW)
EDGES = (ALAW[ORDER][1:] + ALAW[ORDER][:-1]) / 2


def to_alaw(x):
    return ORDER[np.searchsorted(EDGES, np.clip(x, -32256, 32256))].astype(np.uint8)


def write_alaw(path, x):
    octets = to_alaw(x).tobytes()
    fmt = (6).to_bytes(2, "little") + (1).to_bytes(2, "little") + RATE.to_bytes(4, "little") * 2 + b"\1\0\x08\0"
    body = b"WAVEfmt " + len(fmt).to_bytes(4, "little") + fmt + b"data" + len(octets).to_bytes(4, "little") + octets
    with open(path, "wb") as out:
        out.write(b"RIFF" + len(body).to_bytes(4, "little") + body)


def dbm0(level):
    """Root mean square of a level: a full-scale sine is +3.14 dBm0. G.711, §5."""
    return 32768 / np.sqrt(2) * 10 ** ((level - 3.14) / 20)


def loudness(x):
    """Root mean square of the part that sounds."""
    energy = np.convolve(x * x, np.ones(400) / 400, "same")
    sounds = energy > max(energy.max() * 2e-3, 1)
    return np.sqrt(np.mean(x[sounds] ** 2)) if sounds.any() else 1.0


def trimmed(x):
    energy = np.sqrt(np.convolve(x * x, np.ones(80) / 80, "same"))
    sounds = np.where(energy > energy.max() * 10 ** (-42 / 20))[0]
    return x[sounds[0]:sounds[-1] + 1] if len(sounds) else x


def quiet(millis):
    return np.zeros(int(millis * 8))


def filtered(x, gain_of_hz):
    n = 1 << int(np.ceil(np.log2(len(x) + 400)))
    return np.fft.irfft(np.fft.rfft(x, n) * gain_of_hz(np.fft.rfftfreq(n, 1 / RATE)), n)[:len(x)]


# ---------------------------------------------------------------- where voices come from

class Sources:
    """The voices, prompts and recordings of one split."""

    def __init__(self, split, args):
        self.split, self.args, self.cache, self.kept = split, args, args.cache, {}
        os.makedirs(self.cache, exist_ok=True)
        self.prompts = {}
        for folder in split["prompts"]:
            root = os.path.join(args.sounds, folder)
            files = [os.path.join(at, f) for at, _, fs in os.walk(root) for f in fs]
            skip = ("beep", "silence", "tt-", "followme")
            files = sorted(f for f in files if f.endswith((".wav", ".gsm")) and not any(s in f for s in skip))
            sized = [(f, os.path.getsize(f) / (16 if f.endswith(".wav") else 1.65)) for f in files]
            if len(sized) > 50:
                self.prompts[folder] = sized
        self.music = [os.path.join(args.moh, f) for f in split["music"] if os.path.exists(os.path.join(args.moh, f))]
        self.real = {}
        if args.real:
            for item in json.load(open(os.path.join(args.real, "manifest.json")))["items"]:
                if item["source"] in split["real_sources"] or self.is_ours(item):
                    who = item["file"] if item.get("shared_speakers") else item["source"] + item["speaker"]
                    lang = self.real.setdefault(item["cls"], {}).setdefault(item["lang"], {})
                    lang.setdefault(who, []).append(item)

    def is_ours(self, item):
        """Sources with many known speakers are halved by speaker."""
        if item["source"] not in self.split["real_halved"] or item.get("shared_speakers"):
            return False
        who = hashlib.sha1((item["source"] + item["speaker"]).encode()).digest()[0]
        return who % 2 == self.split["real_half"]

    def load(self, path):
        if path not in self.kept:
            self.kept[path] = trimmed(read_gsm(path) if path.endswith(".gsm") else read_wav(path))
        return self.kept[path]

    def say(self, engine, voice, text, speed, pitch):
        name = hashlib.sha1(f"{engine}|{voice}|{text}|{speed}|{pitch}".encode()).hexdigest()[:20]
        path = os.path.join(self.cache, name + ".8k.wav")
        if not os.path.exists(path):
            raw = os.path.join(self.cache, name + ".raw.wav")
            if engine == "espeak":
                command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", raw, text]
            else:
                command = ["flite", "-voice", voice, "--setf", f"duration_stretch={170 / speed:.2f}", "-t", text, "-o", raw]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            part = path + ".part.wav"
            subprocess.run(["sox", "-D", raw, "-r", "8000", "-c", "1", "-b", "16", part, "gain", "-3"], check=True,
                           stderr=subprocess.DEVNULL)
            os.rename(part, path)
            os.remove(raw)
        return self.load(path)

    def speaker(self, r):
        """A synthetic speaker for a call: (language, name, text → samples)."""
        lang = pick(r, sorted(self.split["texts"]))
        speed, pitch = int(r.integers(115, 215)), int(r.integers(15, 85))
        if lang in self.split["flite"] and r.random() < .5:
            voice = pick(r, self.split["flite"][lang])
            return lang, "flite:" + voice, lambda text: self.say("flite", voice, text, speed, 0)
        voice = lang + "+" + pick(r, self.split["variants"])
        return lang, "espeak:" + voice, lambda text: self.say("espeak", voice, text, speed, pitch)

    def reader(self, r, cls, fits=lambda item: True, least=1):
        """The recordings of one person, language first: a large source does not drown the others."""
        langs = {}
        for lang, speakers in self.real.get(cls, {}).items():
            fitting = {s: [i for i in v if fits(i)] for s, v in speakers.items()}
            fitting = {s: v for s, v in fitting.items() if len(v) >= least}
            if fitting:
                langs[lang] = fitting
        if not langs:
            return None
        names = sorted(langs)
        weights = np.array([len(langs[n]) ** .5 for n in names])
        speakers = langs[names[int(r.choice(len(names), p=weights / weights.sum()))]]
        return speakers[pick(r, sorted(speakers))]

    def wave(self, item):
        return self.load(os.path.join(self.args.real, item["file"]))

    def prompt(self, r, folder, least_millis, most_millis):
        fitting = [f for f, millis in self.prompts[folder] if least_millis < millis < most_millis]
        return self.load(pick(r, fitting))


def pick(r, among):
    return among[int(r.integers(0, len(among)))]


# ---------------------------------------------------------------- calls

class Call:
    """A time line that is being filled."""

    def __init__(self):
        self.parts, self.samples, self.events = [], 0, []

    def millis(self):
        return self.samples / 8

    def add(self, x, **event):
        if event:
            self.events.append({"t_ms": self.millis(), "end_ms": self.millis() + len(x) / 8, **event})
        self.parts.append(np.asarray(x, float))
        self.samples += len(x)

    def say(self, x):
        self.add(x * (3000 / loudness(x)), event="speech")

    def wave(self):
        return np.concatenate(self.parts)


def text_of(r, texts, kind):
    """A text of a kind: one that stands there, or one put together of its parts."""
    chosen = pick(r, texts[kind])
    return chosen if isinstance(chosen, str) else " ".join(pick(r, part) for part in chosen)


def person(s, r, call, is_long):
    """Somebody answers, waits, perhaps asks again."""
    kind = "long" if is_long else "short"
    way = r.random()
    waits = lambda: call.add(quiet(r.uniform(1300, 3200)))
    again = r.random() < .55
    if s.real and way < .4:
        bounds = (1500, 6000) if is_long else (0, 1500)
        v = s.reader(r, "sentence" if is_long else "word", lambda i: bounds[0] <= i["dur_ms"] < bounds[1])
        if v:
            call.say(s.wave(pick(r, v)))
            waits()
            more = [i for i in v if i["dur_ms"] < 2500 and not i.get("shared_speakers")]
            if more and again:
                call.say(s.wave(pick(r, more)))
                waits()
            return "real:" + v[0]["source"]
    if s.prompts and way < .65:
        folder = pick(r, sorted(s.prompts))
        call.say(s.prompt(r, folder, *((1700, 4800) if is_long else (240, 1500))))
        if not is_long and r.random() < .25:
            call.add(quiet(r.uniform(100, 350)))
            call.say(s.prompt(r, folder, 240, 900))
        waits()
        if again:
            call.say(s.prompt(r, folder, 240, 1500))
            waits()
        return "prompt:" + folder
    lang, name, say = s.speaker(r)
    call.say(say(text_of(r, s.split["texts"][lang], kind)))
    waits()
    if again:
        call.say(say(text_of(r, s.split["texts"][lang], "short")))
        waits()
    return name


def greeting(s, r, call):
    """A recording greets: one text, parts of a system, or somebody who reads on."""
    way = r.random()
    # "Please record your message" or a whole story.
    length = np.exp(r.uniform(np.log(1500), np.log(11000))) if r.random() < .5 else r.uniform(2500, 11000)
    if s.real and way < .3:
        v = s.reader(r, "sentence", lambda i: not i.get("shared_speakers"), 3) or s.reader(r, "sentence")
        if v:
            until = call.millis() + length
            while call.millis() < until:
                call.say(s.wave(pick(r, v)))
                call.add(quiet(r.uniform(120, 500)))
            return "real:" + v[0]["source"]
    if s.prompts and way < .6:
        folder = pick(r, sorted(s.prompts))
        if r.random() < .4:
            # "The person at extension" … digits … "is not available".
            call.say(s.prompt(r, folder, 600, 2500))
            for _ in range(int(r.integers(3, 7))):
                call.add(quiet(r.uniform(30, 250)))
                call.say(s.prompt(r, folder, 250, 700))
            call.add(quiet(r.uniform(60, 300)))
        until = call.millis() + length
        while call.millis() < until:
            call.say(s.prompt(r, folder, 900, 6000))
            call.add(quiet(r.uniform(100, 500)))
        return "prompt:" + folder
    lang, name, say = s.speaker(r)
    if r.random() < .12:
        call.say(say(text_of(r, s.split["texts"][lang], "short")))
        call.add(quiet(r.uniform(150, 450)))
    call.say(say(text_of(r, s.split["texts"][lang], "machine")))
    call.add(quiet(r.uniform(100, 400)))
    return name


def beep(s, r):
    """A single tone, a glide, a fading or a double one."""
    hz, millis = pick(r, s.split["beep_hz"]) * (1 + r.uniform(-.02, .02)), r.uniform(150, 900)
    t = np.arange(int(millis * 8)) / RATE
    way = r.random()
    x = np.sin(2 * np.pi * hz * t * (1 + (r.uniform(-.12, .12) * t / t[-1] if way < .1 else 0)))
    if way > .85:
        x = x * np.exp(-t * 4)
    edge = np.minimum(1, np.minimum(np.arange(len(x)), np.arange(len(x))[::-1]) / 40)
    x = x * edge * 6000 * 10 ** (r.uniform(-6, 6) / 20)
    if .75 < way < .85 and millis > 300:
        x = np.concatenate([x[:len(x) // 2], quiet(80), x[:len(x) // 2]])
    return x, hz


def cadence(r, hz, pattern, millis, am=None):
    t = np.arange(int(millis * 8)) / RATE
    x = sum(np.sin(2 * np.pi * f * t + r.uniform(0, 6)) for f in hz)
    if am:
        x = x * (.6 + .4 * np.sin(2 * np.pi * am * t))
    gate, at, i = np.zeros(len(t)), 0, 0
    while at < len(t):
        until = at + int(pattern[i % len(pattern)] * 8)
        gate[at:until] = i % 2 == 0
        at, i = until, i + 1
    return x * gate


def hiss(s, r, n, kind):
    """Noise of unit power."""
    x = r.standard_normal(n)
    if kind in ("pink", "street"):
        x = filtered(x, lambda hz: 1 / np.sqrt(np.maximum(hz, 8)))
        if kind == "street":
            marks = np.arange(0, n + 4000, 4000)
            x = x * np.interp(np.arange(n), marks, r.uniform(.2, 1.6, len(marks)))
    elif kind == "hum":
        t = np.arange(n) / RATE
        base = pick(r, [50, 60])
        x = sum(np.sin(2 * np.pi * base * h * t + r.uniform(0, 6)) / h for h in (1, 2, 3, 5, 7)) + .3 * x
    elif kind == "clatter":
        # Cups and keys: short bursts with a decay, over little noise.
        x *= .05
        for _ in range(int(n / RATE * r.uniform(1, 8))):
            at, length = int(r.integers(0, n)), int(r.integers(80, 1200))
            hit = r.standard_normal(length) * np.exp(-np.arange(length) / length * r.uniform(4, 9))
            hit = filtered(hit, lambda hz, c=r.uniform(500, 3000): 1 / (1 + ((hz - c) / 700) ** 2))
            x[at:at + length] += (hit * r.uniform(1, 12))[:n - at]
    elif kind == "dishes":
        # Things that ring when they are struck, over running water.
        x = filtered(x, lambda hz: 1 / (1 + (1500 / np.maximum(hz, 1)) ** 2)) * .1 * r.uniform(.1, 1)
        for _ in range(int(n / RATE * r.uniform(1, 6))):
            at, length = int(r.integers(0, n)), int(r.uniform(.05, .5) * RATE)
            t = np.arange(length) / RATE
            modes = r.uniform(250, 3600, int(r.integers(2, 7)))
            hit = sum(r.uniform(.2, 1) * np.sin(2 * np.pi * f * t) * np.exp(-t / r.uniform(.01, .15)) for f in modes)
            x[at:at + length] += (hit * r.uniform(.3, 3))[:n - at]
    elif kind == "steps":
        # Dull thuds, a rhythm of their own, and what rustles between them.
        x *= .03 * r.uniform(.1, 1)
        every = r.uniform(.15, .9)
        for k in range(int(n / RATE / every)):
            at, length = int((k + r.uniform(-.1, .1)) * every * RATE) % n, int(r.uniform(.03, .25) * RATE)
            hit = filtered(r.standard_normal(length), lambda hz, c=r.uniform(200, 1200): 1 / (1 + (hz / c) ** 4))
            x[at:at + length] += (hit * np.exp(-np.arange(length) / length * 5) * r.uniform(.2, 2))[:n - at]
    elif kind == "breath":
        # Blowing into the telephone: broad, slow swells of low noise.
        x = filtered(x, lambda hz: 1 / (1 + (hz / 500) ** 2))
        marks = np.arange(0, n + 6000, 3000)
        x = x * np.interp(np.arange(n), marks, np.maximum(0, r.standard_normal(len(marks))))
    elif kind == "music" and s.music:
        x = song(s, r, n)
    elif kind == "line" and s.real.get("noise"):
        it = s.wave(pick(r, s.reader(r, "noise")))
        x = np.roll(np.tile(it, 1 + n // len(it))[:n], int(r.integers(0, n)))
    elif kind == "babble" and s.prompts:
        x = np.zeros(n)
        for _ in range(6):
            at = 0
            folder = pick(r, sorted(s.prompts))
            while at < n:
                w = s.prompt(r, folder, 240, 1500)[:n - at]
                x[at:at + len(w)] += w
                at += len(w) + int(r.integers(200, 2400))
    return x / (x.std() + 1e-9)


def song(s, r, n):
    x = s.load(pick(r, s.music))
    at = int(r.integers(0, max(1, len(x) - n - 1)))
    return x[at:at + n].copy()


def made(s, r, cls):
    """A call of a class, before the line."""
    call, note = Call(), {}
    if cls in ("short", "long"):
        call.add(quiet(r.uniform(100, 1400)))
        note["src"] = person(s, r, call, cls == "long")
    elif cls.startswith("machine"):
        call.add(quiet(r.uniform(100, 1400)))
        note["src"] = greeting(s, r, call)
        if cls == "machine_beep":
            call.add(quiet(r.uniform(50, 1300)))
            x, hz = beep(s, r)
            call.add(x, event="beep", value=round(hz))
        call.add(quiet(r.uniform(2500, 5000)))
    elif cls == "tone":
        call.add(quiet(r.uniform(20, 900)))
        tone = pick(r, s.split["tones"])
        if s.split["invents_tones"] and r.random() < .6:
            # Any one or two frequencies, any cadence.
            hz = r.uniform(330, 1000)
            tone = {"hz": [hz] if r.random() < .6 else [hz, hz + r.uniform(20, 260)],
                    "millis": [pick(r, [100, 150, 200, 250, 330, 400, 500, 700, 1000]) for _ in range(2 * int(r.integers(1, 5)))]}
        k, c = 1 + r.uniform(-.01, .01), 1 + r.uniform(-.05, .05)
        call.add(3000 * cadence(r, [f * k for f in tone["hz"]], [p * c for p in tone["millis"]], 9000, tone.get("am")))
    elif cls == "fax":
        call.add(quiet(r.uniform(100, 2500)))
        if r.random() < .5:
            x = 5000 * np.sin(2 * np.pi * 2100 * (1 + r.uniform(-.006, .006)) * np.arange(int(r.uniform(2600, 4000) * 8)) / RATE)
            if r.random() < .5:
                x *= np.where(np.arange(len(x)) // 3600 % 2, -1, 1)
            call.add(x)
            call.add(quiet(75))
            bits = np.tile([0, 1, 1, 1, 1, 1, 1, 0], 38)
            hz = np.repeat(np.where(bits, 1650, 1850), 27)[:8000]
            call.add(5000 * np.sin(2 * np.pi * np.cumsum(hz) / RATE))
        else:
            for _ in range(3):
                call.add(5000 * np.sin(2 * np.pi * 1100 * (1 + r.uniform(-.03, .03)) * np.arange(4000) / RATE))
                call.add(quiet(3000))
    elif cls == "music":
        call.add(quiet(r.uniform(20, 900)))
        x = song(s, r, 9 * RATE)
        call.add(x * (3000 / loudness(x)))
    elif cls == "noise":
        kind = pick(r, s.split["noises"] + ["clatter", "dishes", "steps", "breath", "babble"])
        note["src"] = kind
        x = hiss(s, r, 9 * RATE, kind) * dbm0(r.uniform(-42, -16))
        if r.random() < .4:
            # It comes and goes.
            marks = np.arange(0, len(x) + 16000, 8000)
            x = x * np.clip(np.interp(np.arange(len(x)), marks, r.uniform(-.6, 1.6, len(marks))), 0, 1)
        call.add(x)
    call.add(quiet(max(0, 7000 - call.millis())))
    return call, note


def over_the_line(s, r, cls, x):
    """Room, level, echo, noise, band, loss, codecs."""
    if cls == "silence":
        x = r.standard_normal(len(x)) * dbm0(r.uniform(-70, -50))
    elif cls == "noise":
        x = x + r.standard_normal(len(x)) * dbm0(-65)
    else:
        if r.random() < .35:
            n = int(r.uniform(60, 300) * 8)
            tail = r.standard_normal(n) * np.exp(-6.9 * np.arange(n) / n)
            tail *= .35 / np.sqrt(np.sum(tail ** 2))
            tail[0] = 1
            x = np.convolve(x, tail)[:len(x)] if n < 600 else convolved(x, tail)
        level = r.uniform(-30, -8)
        x = x * dbm0(level) / loudness(x)
        if r.random() < .3:
            d = int(r.integers(40, 480))
            x[d:] += x[:-d] * 10 ** (-r.uniform(22, 40) / 20)
        x = x + hiss(s, r, len(x), pick(r, s.split["noises"])) * dbm0(level - r.uniform(13, 42))
    low, high, order = r.uniform(150, 330), r.uniform(3200, 3650), int(r.integers(4, 9))
    x = filtered(x, lambda hz: 1 / np.sqrt(1 + (low / np.maximum(hz, 1)) ** (2 * order)) / np.sqrt(1 + (hz / high) ** (4 * order)))
    if r.random() < .3:
        loss = r.uniform(0, .02)
        lost = np.repeat(r.random(len(x) // 160 + 1) < loss, 160)[:len(x)]
        x = np.where(lost, 0, x)
    if r.random() < .2:
        x = through_gsm(x)
    return x


def convolved(x, h):
    n = 1 << int(np.ceil(np.log2(len(x) + len(h))))
    return np.fft.irfft(np.fft.rfft(x, n) * np.fft.rfft(h, n), n)[:len(x)]


def through_gsm(x):
    raw = ["-t", "raw", "-r", "8000", "-e", "signed", "-b", "16", "-c", "1", "-"]
    pcm = np.clip(x, -32768, 32767).astype("<i2").tobytes()
    coded = subprocess.run(["sox", "-D", *raw, "-t", "gsm", "-"], input=pcm, stdout=subprocess.PIPE, check=True).stdout
    back = subprocess.run(["sox", "-D", "-t", "gsm", "-r", "8000", "-c", "1", "-", *raw], input=coded, stdout=subprocess.PIPE, check=True)
    y = np.frombuffer(back.stdout, "<i2").astype(float)
    return np.pad(y, (0, max(0, len(x) - len(y))))[:len(x)]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--split", required=True, choices=["train", "held", "fresh"])
    ap.add_argument("--out", required=True)
    ap.add_argument("--count", type=int, default=200, help="files of a main class")
    ap.add_argument("--real")
    ap.add_argument("--classes", help="only these, with commas")
    ap.add_argument("--sounds", default="/usr/share/asterisk/sounds")
    ap.add_argument("--moh", default="/usr/share/asterisk/moh")
    ap.add_argument("--cache", default=os.path.join(tempfile.gettempdir(), "answer_voices"))
    args = ap.parse_args()
    split = json.load(open(os.path.join(HERE, "splits.json")))[args.split]
    os.makedirs(args.out, exist_ok=True)
    sources, items = Sources(split, args), []
    for k, (cls, share) in enumerate(CLASSES.items()):
        if args.classes and cls not in args.classes.split(","):
            continue
        for i in range(int(np.ceil(args.count * share))):
            r = np.random.default_rng([split["seed"], k, i])
            call, note = made(sources, r, cls)
            x = over_the_line(sources, r, cls, call.wave())
            name = f"{cls}_{i:04d}.wav"
            write_alaw(os.path.join(args.out, name), x)
            spoken = [e["t_ms"] for e in call.events if e["event"] == "speech"]
            items.append({"file": name, "cls": cls, "expect": WHO.get(cls, "none"), "dur_ms": len(x) / 8,
                          "speech_start_ms": spoken[0] if spoken else None, "events": call.events, **note})
    json.dump({"split": args.split, "items": items}, open(os.path.join(args.out, "labels.json"), "w"))
    print(args.split, len(items), "files")


if __name__ == "__main__":
    main()
