"""One round of a crash test: a cluster, a job in a directory of its own, its members, and the input fed to them."""
import json
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

from cluster import Cluster
from jobs import GROUP, Process
from outputs import Output, ledger_problems, tumbling_problems
from workload import EVENTS_TOPIC, START_MS, TOPIC


class Feeder(threading.Thread):
    """Writes the input little by little, up to a share of it that the round raises."""

    def __init__(self, cluster, workload):
        super().__init__(daemon=True)
        self.cluster, self.workload = cluster, workload
        self.producer = cluster.producer()
        self.next = [0] * workload.partitions
        self.limit, self.failure = 0, None
        self.pace = 0.01
        self.running = threading.Event()
        self.running.set()
        self.idle = threading.Lock()

    def run(self):
        while self.failure is None:
            self.running.wait()
            with self.idle:
                sent = self._send()
            time.sleep(self.pace if sent else 0.02)

    def _send(self):
        sent = False
        for partition, messages in enumerate(self.workload.messages):
            at = self.next[partition]
            if at < min(self.limit, len(messages)):
                self.producer.produce(TOPIC, messages[at][0].encode(), partition=partition, timestamp=START_MS + at,
                                      on_delivery=self._delivered)
                self.next[partition] = at + 1
                sent = True
        self.producer.poll(0)
        return sent

    def _delivered(self, error, message):
        if error is not None:
            self.failure = f"{TOPIC}/{message.partition()}: {error}"

    def raise_to(self, share):
        """Lets the feeder go on to this share of the input."""
        self.limit = max(self.limit, int(share * max(len(m) for m in self.workload.messages)))

    def finish(self):
        """Writes what is left and waits until the broker has it."""
        self.pace = 0
        self.limit = max(len(m) for m in self.workload.messages)
        deadline = time.monotonic() + 60
        while any(at < len(m) for at, m in zip(self.next, self.workload.messages)):
            assert self.failure is None, f"feeding failed: {self.failure}"
            assert time.monotonic() < deadline, "feeding takes over 60 s"
            time.sleep(0.02)
        assert self.producer.flush(30) == 0 and self.failure is None, f"feeding failed: {self.failure}"


class World:
    def __init__(self, name, program, directory, workload, shape, seed, config=(), session_ms=2000, environment=None):
        self.name, self.program, self.workload, self.shape = name, program, workload, shape
        self.directory = Path(directory)
        self.directory.mkdir(parents=True)
        self.work = self.directory / "work"
        self.work.mkdir()
        self.chance = random.Random(f"{seed}/{name}")
        self.session_ms, self.environment = session_ms, dict(environment or {})
        self.cluster = Cluster(program, self.directory,
                               ["group.min.session.timeout.ms=200", *config], seed=self.chance.randrange(1 << 30))
        self.cluster.start()
        self.cluster.create({TOPIC: workload.partitions, EVENTS_TOPIC: 1, **shape.topics})
        producer = self.cluster.producer()
        for event in workload.events:
            producer.produce(EVENTS_TOPIC, event.encode(), partition=0)
        assert producer.flush(30) == 0, "the events cannot be written"
        self.feeder = Feeder(self.cluster, workload)
        self.feeder.start()
        self.starts, self.kills, self.reached = 0, 0, []
        self.delays, self.unexpected = [], []
        self.had_members = False

    def start(self, instance=None, options=None, environment=None, arguments=()):
        """Starts a member; static where it has an instance."""
        self.starts += 1
        self.had_members = self.had_members or instance != "a"
        job = self.directory / f"job-{instance or 'dynamic'}.yaml"
        job.write_text(json.dumps(self.shape.job(self.cluster.address, instance, self.session_ms, options)))
        words = [self.program, "run", job, "--summary", "json", *arguments]
        log = self.directory / f"start-{self.starts:03}-{instance or 'dynamic'}"
        return Process(words, self.work, log, {**self.environment, **(environment or {})})

    def kill(self, process):
        """SIGKILL, counted; a process that has ended by itself is noted as unexpected."""
        if process.is_running:
            process.kill()
            self.kills += 1
        else:
            self.note_end(process)

    def note_end(self, process):
        """Takes notice of a process that ended though nobody killed it."""
        code = process.popen.returncode
        if code == -signal.SIGKILL:
            self.kills += 1
        elif code != 0:
            last = [line for line in process.error_text().splitlines() if "error" in line] or ["no message"]
            self.unexpected.append(f"{process.log}: exit {code}: {last[0][:400]}")

    def offsets(self):
        return {p: offset for p, (offset, _) in
                self.cluster.committed(GROUP, TOPIC, self.workload.partitions).items()}

    def wait_for_progress(self, before, process, timeout, partitions=None):
        """Seconds until the group's offset of one of the partitions moves beyond `before`; None when it does not."""
        start = time.monotonic()
        while time.monotonic() - start < timeout:
            if process is not None and not process.is_running:
                return None
            now = self.offsets()
            if any(now[p] > before[p] and now[p] >= 0 for p in partitions or now):
                return time.monotonic() - start
            time.sleep(0.05)
        return None

    def finish(self, instance=None, expected=None, arguments=()):
        """Feeds what is left, lets the job read it to the end undisturbed, and compares. Returns the problems."""
        self.feeder.running.set()
        self.feeder.finish()
        problems = []
        if self.had_members:
            # What is there for this member is what the group gives it: others that were killed must be forgotten first.
            time.sleep(self.session_ms / 1000 + 1)
        for _ in range(4):
            process = self.start(instance, arguments=["--available-now", *arguments])
            code = process.wait(120)
            if code is None:
                process.kill()
                return [f"the last run does not end in 120 s: {process.log}.err"]
            if code == 0:
                break
            self.note_end(process)
        else:
            return [f"the last run fails: {self.unexpected[-1]}"]
        self.summary = process.summary()
        self.output = Output(self.shape, self.cluster, self.work)
        problems += ledger_problems(self.summary, expected.summary if expected else None)
        problems += tumbling_problems(self.output, self.workload, self.summary["queries"]["tumbling"]["late"])
        if expected:
            problems += self.output.differences(expected.output)
        problems += self.verify_checkpoint()
        return problems

    def verify_checkpoint(self):
        run = subprocess.run([self.program, "checkpoint", "verify", self.work / "checkpoint"], capture_output=True,
                             text=True)
        return [] if run.returncode == 0 else [f"checkpoint verify: exit {run.returncode}: {run.stderr[:600]}"]

    def close(self):
        self.feeder.failure = self.feeder.failure or "closed"
        self.cluster.stop()


class Expected:
    """An undisturbed run of the job, compared with `replay` of the same input."""

    def __init__(self, program, directory, workload, shape, seed, checkpoint=True):
        world = World(f"undisturbed-{shape.name}", program, directory, workload, shape, seed)
        try:
            if not checkpoint:
                world.verify_checkpoint = lambda: []
            problems = world.finish()
            if not problems:
                problems = self._compare_replay(world)
            problems += [f"{place}: nothing came out" for place, count in world.output.counts.items() if not count]
            assert not problems, "the undisturbed run is wrong:\n  " + "\n  ".join(problems)
            self.summary, self.output, self.problems = world.summary, world.output, problems
        finally:
            world.close()

    def _compare_replay(self, world):
        """Rows of append queries must be those of `replay` over files with the same lines."""
        inputs = world.directory / "input"
        inputs.mkdir()
        for number, messages in enumerate(world.workload.messages):
            (inputs / f"part-{number}.prom").write_text("".join(text for text, _ in messages))
        events = world.directory / "events.jsonl"
        events.write_text("".join(event + "\n" for event in world.workload.events))
        replayed = world.directory / "replayed"
        run = subprocess.run([world.program, "replay", world.directory / "job-dynamic.yaml", "--input",
                              f"metrics={inputs}", "--input", f"changes={events}", "--output", replayed, "--keep-open"],
                             capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        found = []
        for path in [p for p in world.shape.files if p.startswith("out/") and "late" not in p]:
            from outputs import describe, key_of, manifest_rows
            mine, theirs = {}, {}
            for lines, keyed in ((manifest_rows(replayed / path), mine), (manifest_rows(world.work / path), theirs)):
                for line in lines:
                    keyed.setdefault(key_of(line), []).append(line)
            for key in sorted(set(mine) | set(theirs), key=repr):
                if mine.get(key, []) != theirs.get(key, []):
                    found.append(f"{path}, replay against run: " + describe(key, mine.get(key, []), theirs.get(key, [])))
        return found[:5]
