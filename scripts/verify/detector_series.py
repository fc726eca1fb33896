"""Labelled series made from stated recipes, for detectors.py: families of behaviour, each with every kind of anomaly that makes
sense on it and with clean controls; and series like the synthetic ones of Yahoo's S5.

A series is (name, slide ms, window ends, values, marks); a mark is (begin ms, end ms) of an incident. `auto` was developed on
the families of DEVELOPMENT; those of HELD_OUT were looked at a few times, to see whether a change holds there as well.
"""
import numpy as np

MINUTE = 60_000
DAY = 86_400_000


def clock(slide, n, chance):
    """Window ends from a Monday plus some hours."""
    return 1_767_571_200_000 + int(chance.integers(0, 168)) * 3_600_000 + slide * (np.arange(n) + 1)


def ar(chance, n, keep):
    noise = chance.normal(0, 1, n)
    for j in range(1, n):
        noise[j] = keep * noise[j - 1] + np.sqrt(1 - keep * keep) * noise[j]
    return noise


def markov(chance, n, stay):
    state, out = 0, np.zeros(n)
    flips = chance.random(n)
    for j in range(n):
        if flips[j] > stay[state]:
            state = 1 - state
        out[j] = state
    return out


# Families: values without an anomaly; t is the middle of each window


def gauss(chance, slide, n, t):
    return chance.uniform(5, 100) + chance.normal(0, 1, n) * chance.uniform(0.5, 3)


def autoregressive(chance, slide, n, t):
    return 50 + ar(chance, n, chance.uniform(0.5, 0.97)) * chance.uniform(0.5, 5)


def daily(chance, slide, n, t):
    x = 2 * np.pi * (t % DAY) / DAY
    swing = chance.uniform(1, 4)
    return 20 + swing * np.sin(x + 4) + 0.4 * swing * np.sin(2 * x + chance.uniform(0, 6)) + ar(chance, n, chance.uniform(0, 0.8)) * swing * chance.uniform(0.05, 0.25)


def weekly(chance, slide, n, t):
    x = 2 * np.pi * (t % DAY) / DAY
    day = ((t - 4 * DAY) // DAY) % 7
    base = np.where(day >= 5, chance.uniform(0.4, 0.7), 1.0) * (1.2 + np.sin(x + 4))
    return 1000 * base * np.exp(0.08 * ar(chance, n, 0.5))


def heavy(chance, slide, n, t):
    return 100 + chance.standard_t(3, n) * 3


def lognormal(chance, slide, n, t):
    return 50 * np.exp(chance.uniform(0.2, 0.7) * ar(chance, n, chance.uniform(0, 0.6)))


def walk(chance, slide, n, t):
    y = np.cumsum(chance.normal(0, 1, n))
    return 500 + y * 0.995 + chance.normal(0, 0.3, n)


def counts(chance, slide, n, t):
    return chance.poisson(chance.choice([0.1, 0.4, 2, 6, 30]), n).astype(float)


def gauge(chance, slide, n, t):
    """A whole number that stands still most of the time."""
    y, level = np.zeros(n), 12.0
    for j in range(n):
        if chance.random() < 0.03:
            level = max(3, level + chance.choice([-1, 1]))
        y[j] = level
    return y


def cron(chance, slide, n, t):
    """A job every so often on a quiet level."""
    every = int(chance.choice([12, 30, 60, 144]))
    length = max(1, every // int(chance.choice([6, 10])))
    busy = (np.arange(n) % every) < length
    return np.clip(8 + 60 * busy * chance.uniform(0.7, 1.1, n) + chance.normal(0, 1, n), 0, 100)


def sawtooth(chance, slide, n, t):
    every = chance.uniform(15, 90)
    phase = (np.arange(n) / every + 0.02 * np.cumsum(chance.normal(0, 1, n))) % 1
    return 300 + 400 * phase + chance.normal(0, 10, n)


def flat(chance, slide, n, t):
    return np.full(n, chance.choice([0.0, 1.0, 42.0, 1e6]))


# Kept for the end


def traffic(chance, slide, n, t):
    x = 2 * np.pi * (t % DAY) / DAY
    curve = np.exp(0.9 * np.sin(x + 4.2) + 0.3 * np.sin(2 * x + 1))
    rate = chance.uniform(3, 300) * curve * np.exp(0.1 * ar(chance, n, 0.9))
    return chance.poisson(rate).astype(float)


def bimodal(chance, slide, n, t):
    return 20 + 40 * markov(chance, n, (0.97, 0.9)) + chance.normal(0, 2, n)


def latency(chance, slide, n, t):
    x = 2 * np.pi * (t % DAY) / DAY
    return (1 + 0.3 * np.sin(x)) * chance.gamma(chance.choice([2, 8, 30]), 1.0, n) * 10


def smooth(chance, slide, n, t):
    every = chance.uniform(80, 700)
    return 60 + 20 * np.sin(2 * np.pi * np.arange(n) / every) + chance.normal(0, 0.4, n)


def percent(chance, slide, n, t):
    return np.clip(np.round(2 + np.abs(ar(chance, n, 0.7)) * chance.uniform(0.8, 6), 1), 0, 100)


def trend(chance, slide, n, t):
    return 100 + np.arange(n) * chance.uniform(0.01, 0.2) * chance.choice([-1, 1]) + ar(chance, n, 0.5) * 2 + chance.uniform(0, 3) * np.sin(2 * np.pi * (t % DAY) / DAY)


def intermittent(chance, slide, n, t):
    on = markov(chance, n, (0.95, 0.8))
    return on * np.round(chance.gamma(2, 10, n))


def seasonal_variance(chance, slide, n, t):
    x = 2 * np.pi * (t % DAY) / DAY
    return 100 + chance.normal(0, 1, n) * np.exp(1.0 + 0.9 * np.sin(x + 4)) + 20 * np.sin(x + 4)


DEVELOPMENT = {f.__name__: f for f in (gauss, autoregressive, daily, weekly, heavy, lognormal, walk, counts, gauge, cron, sawtooth, flat)}
HELD_OUT = {f.__name__: f for f in (traffic, bimodal, latency, smooth, percent, trend, intermittent, seasonal_variance)}

NOT_ON = {  # kinds that mean nothing on a family
    "walk": {"leak", "shift"}, "flat": {"frozen", "calm", "rhythm", "phase"}, "gauge": {"frozen", "calm", "rhythm", "phase", "dip"},
    "counts": {"frozen", "calm", "dip", "rhythm", "phase"}, "intermittent": {"frozen", "calm", "dip", "rhythm", "phase"},
    "percent": {"dip"},
}
RHYTHMIC = {"daily", "weekly", "cron", "traffic", "smooth", "sawtooth"}
KINDS = ["spike", "dip", "burst", "shift", "plunge", "leak", "unrest", "calm", "frozen", "rhythm", "phase", "zero"]


def insert(chance, kind, y, at, slide, family):
    """Puts an anomaly into y at `at`; returns the index after its last window."""
    n = len(y)
    clean = y.copy()
    low, high = np.quantile(clean, [0.005, 0.995])
    width = max(high - low, 0.02 * abs(high), 1e-9 if high else 1.0)
    step = np.quantile(np.abs(np.diff(clean)), 0.995) or 0.1 * width
    size = chance.uniform(1.0, 3.0) * max(0.6 * width, step)
    positive = low >= 0
    whole = bool(np.all(clean == np.round(clean)))
    length = int(chance.integers(12, 60))
    if kind == "spike":
        length = int(chance.integers(1, 4))
        y[at:at + length] = np.maximum(y[at:at + length], 0.5 * (low + high)) + 0.5 * width + size
    elif kind == "dip":
        length = int(chance.integers(1, 4))
        y[at:at + length] = np.minimum(y[at:at + length], 0.5 * (low + high)) - 0.5 * width - size
    elif kind == "burst":
        on = chance.random(length) < 0.4
        on[0] = True
        y[at:at + length] += on * (0.5 * width + size)
    elif kind == "shift":
        y[at:at + length] += 0.3 * width + 0.6 * size
    elif kind == "plunge":
        y[at:at + length] -= 0.3 * width + 0.6 * size
    elif kind == "leak":
        length = int(chance.integers(60, 200))
        y[at:at + length] += np.linspace(0, 1, len(y[at:at + length])) * (width + size)
    elif kind == "unrest":
        y[at:at + length] += chance.normal(0, 1, len(y[at:at + length])) * (0.5 * width + 0.3 * size)
    elif kind == "calm":
        length = int(chance.integers(40, 90))
        middle = np.median(y[max(0, at - 20):at])
        y[at:at + length] = middle + 0.03 * (y[at:at + length] - middle)
    elif kind == "frozen":
        length = int(chance.integers(40, 90))
        y[at:at + length] = y[at - 1]
    elif kind == "rhythm":  # the rhythm stops: a peak does not come
        period = {"cron": 144, "sawtooth": 90, "smooth": 300}.get(family, DAY // slide)
        length = int(min(max(period // 2, 20), 300))
        y[at:at + length] = np.quantile(clean, 0.2) + 0.1 * (y[at:at + length] - np.median(y[at:at + length]))
    elif kind == "phase":
        period = {"cron": 72, "sawtooth": 45, "smooth": 150}.get(family, DAY // slide)
        shift = int(period * chance.uniform(0.3, 0.6))
        length = int(min(max(period, 30), 300))
        y[at:at + length] = clean[np.minimum(np.arange(at, at + length) + shift, n - 1)][: len(y[at:at + length])]
    elif kind == "zero":
        length = int(chance.integers(5, 40))
        y[at:at + length] = 0
    if positive:
        np.maximum(y, 0, out=y)
    if whole:
        np.round(y, out=y)
    return min(at + length, n)


def make(seed, families, copies):
    """`copies` series of every family for every kind, and as many clean ones."""
    out = []
    for number, (name, family) in enumerate(sorted(families.items())):
        kinds = [k for k in KINDS if k not in NOT_ON.get(name, ())]
        if name not in RHYTHMIC:
            kinds = [k for k in kinds if k not in ("rhythm", "phase")]
        for place, kind in enumerate(kinds + ["clean", "clean", "clean"]):
            for copy in range(copies):
                chance = np.random.default_rng([seed, KINDS.index(kind) if kind in KINDS else 50 + place, copy, sum(map(ord, name))])
                slide = int(chance.choice([MINUTE, 5 * MINUTE, 60 * MINUTE] if name != "weekly" else [15 * MINUTE, 60 * MINUTE]))
                n = {MINUTE: 4320, 5 * MINUTE: 4032, 15 * MINUTE: 2688, 60 * MINUTE: 1400}[slide]
                t = clock(slide, n, chance)
                y = family(chance, slide, n, t - slide // 2)
                marks = []
                if kind != "clean":
                    for at in sorted(chance.integers(int(0.3 * n), int(0.93 * n), int(chance.integers(1, 3)))):
                        if marks and at < marks[-1][2] + 250:
                            continue
                        before = y.copy()
                        end = insert(chance, kind, y, int(at), slide, name)
                        changed = np.flatnonzero(y != before)
                        if len(changed):
                            # No shorter than 40 windows: what is noticed half an hour after a spike is noticed.
                            begin, last = int(changed[0]), max(end, int(changed[-1]) + 1, int(changed[0]) + 40)
                            marks.append((int(t[begin]) - slide, int(t[min(last, n) - 1]), int(max(end, changed[-1] + 1))))
                scale = 10.0 ** chance.integers(-3, 6) if not np.all(y == np.round(y)) else 1.0
                out.append((f"{name}-{kind}-{copy}-{place}", slide, t, y * scale, [mark[:2] for mark in marks]))
    return out


def yahoo(seed, count):
    """Like the A2 to A4 of S5, an hour of theirs a minute: sines of 12, 24 and 168 windows or of any length, trends, noise; single
    points, or a change of level, swing or noise for good."""
    for index in range(count):
        chance = np.random.default_rng([seed, index, 77])
        n, x = 1680, np.arange(1680)
        periods = [12, 24, 168] if chance.choice([0, 1]) else [float(chance.uniform(8, 180))]
        y = sum(chance.uniform(0.3, 1) * np.sin(2 * np.pi * x / p + chance.uniform(0, 6)) for p in periods)
        y = 500 + y * chance.uniform(20, 100) + chance.normal(0, chance.uniform(2, 10), n) + chance.choice([0, 1]) * x * chance.uniform(-0.2, 0.2)
        t, marks = clock(MINUTE, n, chance), []
        kind = chance.choice(["points", "changes", "clean"], p=[0.5, 0.3, 0.2])
        if kind == "points":
            for at in sorted(chance.choice(np.arange(500, n - 20, 60), int(chance.integers(1, 5)), replace=False)):
                y[at] += chance.choice([-1, 1]) * chance.uniform(60, 250)
                marks.append((at, min(at + 40, n)))
        elif kind == "changes":
            at, what = int(chance.integers(600, 1500)), chance.choice(["level", "swing", "noise"])
            if what == "level":
                y[at:] += chance.choice([-1, 1]) * chance.uniform(60, 200)
            elif what == "swing":
                y[at:] = 500 + (y[at:] - 500) * chance.choice([0.3, 2.5])
            else:
                y[at:] += chance.normal(0, chance.uniform(30, 60), n - at)
            marks.append((at, at + 60))
        yield f"yahoo-{index}", MINUTE, t, y, [(int(t[a]) - MINUTE, int(t[b - 1])) for a, b in marks]
