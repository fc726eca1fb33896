"""Reads everything a job put out and compares it with what an undisturbed run did."""
import json
from collections import defaultdict

KEY_COLUMNS = ("instance", "zone")


def manifest_rows(directory):
    """The committed lines of a file output, by its manifest."""
    lines = []
    for document in sorted((directory / "_manifest").glob("[0-9]*.json")):
        for entry in json.loads(document.read_text())["entries"]:
            content = (directory / entry["path"]).read_bytes()
            assert len(content) >= entry["bytes"], f"{directory}/{entry['path']} is shorter than the manifest says"
            rows = content[:entry["bytes"]].splitlines()
            assert len(rows) == entry["rows"], f"{directory}/{entry['path']}: {len(rows)} rows, not {entry['rows']}"
            lines += rows
    return lines


def key_of(line):
    """What the order of rows is kept for: the key columns of a row; the partition of a late row or dead letter."""
    row = json.loads(line)
    if "offset" in row:
        return ("partition", row["partition"])
    # What a detector or an impact found has its key below `labels`.
    found = row.get("detector") or row.get("impact")
    return (found, *(row.get("labels", row).get(column) or "" for column in KEY_COLUMNS))


class Output:
    """All that a job put out, each key's lines in order: {place: {key: [line]}}."""

    def __init__(self, shape, cluster, directory):
        self.places = {}
        for topic, partitions in shape.topics.items():
            keyed = defaultdict(list)
            for number, messages in enumerate(cluster.read(topic, partitions)):
                for key, value in messages:
                    keyed[(f"partition {number}", key, *key_of(value))].append(value)
            if topic == "updates":
                keyed = self._last_of_windows(keyed)
            self.places[f"topic {topic}"] = dict(keyed)
        for path in shape.files:
            keyed = defaultdict(list)
            for line in manifest_rows(directory / path):
                keyed[key_of(line)].append(line)
            self.places[path] = dict(keyed)

    @staticmethod
    def _last_of_windows(keyed):
        """In update mode the last row of a window and key counts."""
        last = {}
        for key, lines in keyed.items():
            for line in lines:
                last[key, json.loads(line)["window_start"]] = [line]
        return last

    @property
    def counts(self):
        return {place: sum(len(lines) for lines in keyed.values()) for place, keyed in self.places.items()}

    def differences(self, expected):
        """In words, what differs from the expected output: the first lines of each place."""
        found = []
        for place, keyed in expected.places.items():
            mine = self.places[place]
            problems = []
            for key in sorted(set(keyed) | set(mine), key=repr):
                want, have = keyed.get(key, []), mine.get(key, [])
                if want != have:
                    problems.append(describe(key, want, have))
            if problems:
                found.append(f"{place}: {len(problems)} keys differ\n    " + "\n    ".join(problems[:5]))
        return found


def describe(key, want, have):
    """The first difference of two lists of lines."""
    missing = [line for line in want if have.count(line) < want.count(line)]
    doubled = [line for line in have if 0 < want.count(line) < have.count(line)]
    strange = [line for line in have if line not in want]
    first = next((i for i, (a, b) in enumerate(zip(want, have)) if a != b), min(len(want), len(have)))
    text = f"{key}: {len(have)} of {len(want)} rows, first difference at row {first}"
    for word, lines in (("missing", missing), ("doubled", doubled), ("not expected", strange)):
        if lines:
            text += f"\n        {word} ({len(lines)}): {lines[0].decode(errors='replace')[:300]}"
    if not missing and not doubled and not strange:
        text += "\n        the same rows in another order"
    return text


LEDGER = ["decoded", "filtered", "aggregated", "late", "limitDrops"]
PARTITION_LEDGER = ["records", "samples", "decoded", "bad", "future", "staleMarkers"]


def ledger_problems(summary, expected=None):
    """Where the sums of the ledger do not balance, or differ from those of an undisturbed run."""
    found = []
    for name, query in summary["queries"].items():
        total = query["filtered"] + query["aggregated"] + query["late"] + query["limitDrops"]
        if query["decoded"] != total:
            found.append(f"query {name}: decoded {query['decoded']} is not {total}: {query}")
    for name, partition in summary["partitions"].items():
        total = partition["staleMarkers"] + partition["future"] + partition["decoded"]
        if partition["samples"] != total:
            found.append(f"partition {name}: samples {partition['samples']} is not {total}: {partition}")
    if expected is None:
        return found
    for kind, fields in (("queries", LEDGER), ("partitions", PARTITION_LEDGER)):
        for name, values in expected[kind].items():
            for field in fields:
                have = summary[kind].get(name, {}).get(field)
                if have != values[field]:
                    found.append(f"{kind} {name}: {field} is {have}, undisturbed {values[field]}")
    return found


def tumbling_problems(output, workload, late):
    """Where the rows of the query `tumbling` differ from what Python computes from the input."""
    expected, expected_late = workload.tumbling()
    found, problems = {}, []
    for lines in output.places["out/tumbling"].values():
        for line in lines:
            row = json.loads(line)
            found[parse_time(row["window_start"]), row["instance"]] = row
    for key in sorted(set(expected) ^ set(found)):
        problems.append(f"window {key}: {'missing' if key in expected else 'not expected'}")
    for key in set(expected) & set(found):
        (n, total, low, high), row = expected[key], found[key]
        if (row["n"], row["lo"], row["hi"]) != (n, low, high) or abs(row["s"] - total) > 1e-9 * max(1, abs(total)):
            problems.append(f"window {key}: {row}, expected {expected[key]}")
    if late != expected_late:
        problems.append(f"{late} samples late, expected {expected_late}")
    return problems[:10]


def parse_time(text):
    """Milliseconds since the epoch of `2026-01-01T00:00:00.000Z`."""
    import datetime
    at = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    return round(at.timestamp() * 1000)
