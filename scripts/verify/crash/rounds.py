"""The rounds of a crash test: each disturbs a job in its own way, then lets it read to the end and compares."""
import signal
import time
from pathlib import Path

from jobs import GROUP, STEPS

DROPS = ["EndTxn", "TxnOffsetCommit", "AddOffsetsToTxn", "AddPartitionsToTxn", "Produce", "Heartbeat", "Fetch",
         "InitProducerId", "OffsetFetch", "JoinGroup", "SyncGroup"]
ERRORS = ["EndTxn COORDINATOR_NOT_AVAILABLE 2", "EndTxn CONCURRENT_TRANSACTIONS 3", "EndTxn COORDINATOR_LOAD_IN_PROGRESS 2",
          "EndTxn PRODUCER_FENCED", "EndTxn INVALID_PRODUCER_EPOCH", "TxnOffsetCommit COORDINATOR_LOAD_IN_PROGRESS 2",
          "TxnOffsetCommit UNKNOWN_MEMBER_ID", "TxnOffsetCommit ILLEGAL_GENERATION", "TxnOffsetCommit NOT_COORDINATOR",
          "AddOffsetsToTxn CONCURRENT_TRANSACTIONS 3", "AddOffsetsToTxn COORDINATOR_NOT_AVAILABLE 2",
          "AddOffsetsToTxn INVALID_PRODUCER_EPOCH", "AddPartitionsToTxn CONCURRENT_TRANSACTIONS 3",
          "AddPartitionsToTxn NOT_COORDINATOR", "Produce NOT_LEADER_OR_FOLLOWER 3", "Produce INVALID_PRODUCER_EPOCH",
          "Produce OUT_OF_ORDER_SEQUENCE_NUMBER", "Heartbeat REBALANCE_IN_PROGRESS", "Heartbeat UNKNOWN_MEMBER_ID",
          "Heartbeat ILLEGAL_GENERATION", "Heartbeat COORDINATOR_NOT_AVAILABLE 2",
          "InitProducerId COORDINATOR_NOT_AVAILABLE 2", "InitProducerId CONCURRENT_TRANSACTIONS 3",
          "OffsetFetch UNSTABLE_OFFSET_COMMIT 3", "OffsetFetch COORDINATOR_LOAD_IN_PROGRESS 2",
          "Fetch NOT_LEADER_OR_FOLLOWER 3", "FindCoordinator COORDINATOR_NOT_AVAILABLE 3",
          "JoinGroup COORDINATOR_LOAD_IN_PROGRESS 2", "SyncGroup REBALANCE_IN_PROGRESS"]


def broker_faults(chance):
    """One fault, lost answers after EndTxn above all."""
    kind = chance.random()
    if kind < 0.25:
        return "lose EndTxn"
    if kind < 0.45:
        return f"lose {chance.choice(DROPS)}"
    if kind < 0.6:
        return f"drop {chance.choice(DROPS)}"
    if kind < 0.7:
        return f"delay {chance.choice(DROPS)} {chance.randint(50, 1500)}"
    if kind < 0.75:
        return "disconnect"
    return "error " + chance.choice(ERRORS)


def wait_until_reading(process, timeout):
    """Waits until a member has its partitions; False when it does not get them."""
    end = time.monotonic() + timeout
    while time.monotonic() < end and process.is_running:
        if "\nreading " in process.error_text() or " reading " in process.error_text():
            return True
        time.sleep(0.02)
    return False


def at_steps(world, kills, instance="a", timeout=6.0):
    """A lone member is killed as it reaches each step in turn, then once more at a later time it comes there."""
    for i in range(kills):
        step = STEPS[i % len(STEPS)]
        count = 1 if i < len(STEPS) else world.chance.randint(1, 6)
        world.feeder.raise_to((i + 1) / (kills + 1))
        process = world.start(instance, environment={"STREAM_JOB_FAULT": f"{step}:{count}"})
        if process.wait(timeout) is None:
            world.kill(process)
        else:
            world.note_end(process)
            world.reached.append(f"{step}:{count}")


def at_random(world, kills, instance="a"):
    """A lone member is killed at random instants, some before it has its partitions."""
    for i in range(kills):
        world.feeder.raise_to((i + 1) / (kills + 1))
        before = world.offsets()
        process = world.start(instance)
        if world.chance.random() < 0.25:
            process.wait(world.chance.uniform(0, 1.0))
        else:
            took = world.wait_for_progress(before, process, 20)
            if took is None and process.is_running:
                world.unexpected.append(f"{process.log}: no progress in 20 s")
            elif took is not None and i > 0:
                world.delays.append(("restarted static member" if instance else "restarted member", took))
            process.wait(world.chance.uniform(0, 0.7))
        world.kill(process)


def at_random_dynamic(world, kills):
    """As `at_random`, without group.instance.id: each restart waits for the session of the one before."""
    at_random(world, kills, instance=None)


def members(world, kills, most=3):
    """Up to `most` members join, leave and are killed, static and dynamic ones, at random instants and steps."""
    running, done, static = [], 0, 0
    while done < kills:
        world.feeder.raise_to((done + 1) / (kills + 1))
        running = [(p, name) for p, name in running if p.is_running or world.note_end(p)]
        action = world.chance.random()
        if len(running) < most and (not running or action < 0.5):
            free = [name for name in "abc"[:most] if name not in [n for _, n in running]]
            name = world.chance.choice([*free, None]) if free else None
            fault = {}
            if world.chance.random() < 0.4:
                fault = {"STREAM_JOB_FAULT": f"{world.chance.choice(STEPS)}:{world.chance.randint(1, 8)}"}
            running.append((world.start(name, environment=fault), name))
        elif action < 0.9:
            process, name = running.pop(world.chance.randrange(len(running)))
            before = world.offsets()
            world.kill(process)
            done += 1
            if running and not name and world.chance.random() < 0.5:
                took = world.wait_for_progress(before, None, world.session_ms / 1000 + 10)
                if took is not None:
                    world.delays.append(("survivor", took))
        else:
            process, _ = running.pop(world.chance.randrange(len(running)))
            process.signal(signal.SIGTERM)
            if process.wait(20) is None:
                world.unexpected.append(f"{process.log}: does not stop on SIGTERM in 20 s")
                world.kill(process)
            elif process.popen.returncode not in (143, -signal.SIGTERM, -signal.SIGKILL):
                world.note_end(process)
        time.sleep(world.chance.uniform(0, 1.0))
    for process, _ in running:
        world.kill(process)


def two_members(world, kills):
    """As `members`, with at most two."""
    members(world, kills, most=2)


def frozen(world, kills):
    """A member is frozen past its session at each step, another takes over, then the first goes on: it must publish
    nothing and delete nothing."""
    for i in range(kills):
        step = STEPS[i % len(STEPS)]
        world.feeder.raise_to((i + 0.5) / (kills + 1))
        one = world.start("a", environment={"STREAM_JOB_FREEZE": f"{step}:{world.chance.randint(1, 4)}"})
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline and one.is_running and not one.is_stopped:
            time.sleep(0.05)
        if one.is_stopped:
            world.reached.append(step)
        else:
            one.signal(signal.SIGSTOP)
        before, began = world.offsets(), time.monotonic()
        two = world.start("b")
        world.feeder.raise_to((i + 1) / (kills + 1))
        took = world.wait_for_progress(before, two, world.session_ms / 1000 + 15)
        if took is None:
            world.unexpected.append(f"{two.log}: takes over nothing while the other member is frozen at {step}")
        else:
            world.delays.append(("survivor of a frozen member", time.monotonic() - began))
        one.signal(signal.SIGCONT)
        time.sleep(world.chance.uniform(0.2, 2))
        for process in world.chance.sample([one, two], 2):
            world.kill(process)


def broker_killed(world, kills, instance="a"):
    """The broker is killed and started again while the job runs; sometimes the job is killed, too."""
    process = None
    for i in range(kills):
        world.feeder.raise_to((i + 1) / (kills + 1))
        if process is None or not process.is_running:
            if process is not None:
                world.note_end(process)
            process = world.start(instance)
        if world.chance.random() < 0.7:
            wait_until_reading(process, 15)
        process.wait(world.chance.uniform(0, 1.5))
        with world.feeder.idle:
            world.feeder.producer.flush(10)
            world.cluster.kill()
            if world.chance.random() < 0.5:
                world.kill(process)
                process = None
            time.sleep(world.chance.uniform(0, 1))
            world.cluster.start()
    if process is not None:
        process.wait(2)
        world.kill(process)


def broker_misbehaves(world, kills, instance="a"):
    """Lost answers, errors, delays and closed connections at random; the job is killed from time to time."""
    done, process, faults = 0, None, []
    while done < kills:
        world.feeder.raise_to((done + 1) / (kills + 1))
        if process is None or not process.is_running:
            if process is not None:
                world.note_end(process)
                if process.popen.returncode != -signal.SIGKILL:
                    world.unexpected[-1:] = [f"{text} (after faults {faults[-6:]})" for text in world.unexpected[-1:]]
            process = world.start(instance)
            wait_until_reading(process, 20)
        planned = [broker_faults(world.chance) for _ in range(world.chance.randint(1, 4))]
        # Errors that end a producer are for the job, not for the one that feeds it.
        is_for_producers = any(fault.startswith(("error Produce", "error InitProducerId")) for fault in planned)
        if is_for_producers:
            world.feeder.idle.acquire()
            world.feeder.producer.flush(20)
        for fault in planned:
            faults.append(fault)
            with open(world.directory / "faults.log", "a") as log:
                log.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {fault}\n")
            world.cluster.fault(fault)
            process.wait(world.chance.uniform(0.05, 0.8))
        if world.chance.random() < 0.6:
            world.kill(process)
            process = None
            done += 1
        world.cluster.fault("clear")
        if is_for_producers:
            world.feeder.idle.release()
    if process is not None:
        process.wait(1)
        world.kill(process)


def disk_fails(world, kills, instance="a"):
    """Writes, fsyncs and renames fail under the checkpoint and the outputs: the job goes on or stops with the reason, and
    the next start recovers."""
    for i in range(kills):
        world.feeder.raise_to((i + 1) / (kills + 1))
        kinds = world.chance.choice(["enospc", "eio", "short", "fsync", "rename", "enospc,eio,short,fsync,rename"])
        # Of the world's own directory, wherever it lies.
        checkpoint, out = (f"/{world.work.name}/{name}" for name in ("checkpoint", "out"))
        paths = world.chance.choice([checkpoint, out, f"{checkpoint},{out}"])
        faults = (f"seed={world.chance.randrange(1 << 30)} permille={world.chance.choice([20, 100, 1000])} kinds={kinds} "
                  f"paths={paths} skip={world.chance.randrange(60)} count={world.chance.choice([1, 1, 3, 1000])}")
        process = world.start(instance, environment={"LD_PRELOAD": str(world.disk_faults), "DISK_FAULTS": faults})
        code = process.wait(world.chance.uniform(2, 4))
        text = process.error_text()
        if code is None:
            world.kill(process)
        elif code == 1:
            reasons = [line for line in text.splitlines() if line.startswith("error")]
            world.reached.append(f"stopped: {kinds}")
            if not reasons or f"/{world.work.name}/" not in text:
                world.unexpected.append(f"{process.log}: stops without naming the file")
        else:
            world.unexpected.append(f"{process.log}: exit {code} under {faults}")


def newest_epoch_lost(world, kills, instance="a"):
    """The newest files of the checkpoint vanish between two starts: the job falls back and reads again with outputs
    suppressed."""
    for i in range(kills):
        world.feeder.raise_to((i + 1) / (kills + 1))
        before = world.offsets()
        process = world.start(instance)
        took = world.wait_for_progress(before, process, 20)
        if took is None:
            if process.is_running:
                world.unexpected.append(f"{process.log}: no progress in 20 s")
        process.wait(world.chance.uniform(0.7, 2))
        world.kill(process)
        files = [f for f in (world.work / "checkpoint" / "epochs").glob("*/*") if f.is_file()]
        files.sort(key=lambda f: f.stat().st_mtime_ns)
        # The oldest ones stay: without any state there is nothing to fall back on.
        for file in files[4:][-world.chance.randint(1, 2):]:
            file.unlink()
            world.reached.append(file.name)


class Round:
    def __init__(self, disturb, shape="local", weight=1, config=(), session_ms=2000, **options):
        self.disturb, self.shape, self.weight = disturb, shape, weight
        self.config, self.session_ms, self.options = config, session_ms, options


MARKER = ["transaction.marker.delay.ms=2000"]
ROUNDS = {
    "steps": Round(at_steps, weight=3),
    "steps-alone": Round(at_steps, shape="alone", weight=3),
    "random": Round(at_random, weight=3),
    "random-alone": Round(at_random, shape="alone", weight=3),
    "random-dynamic": Round(at_random_dynamic, weight=1),
    "two-members": Round(two_members, weight=2),
    "three-members": Round(members, weight=3),
    "frozen": Round(frozen, weight=2),
    "markers-late-steps": Round(at_steps, weight=2, config=MARKER, timeout=12.0),
    "markers-late-random": Round(at_random, shape="alone", weight=1, config=MARKER),
    "markers-late-members": Round(members, weight=1, config=MARKER),
    "broker-killed": Round(broker_killed, weight=1),
    "broker-killed-alone": Round(broker_killed, shape="alone", weight=1),
    "broker-misbehaves": Round(broker_misbehaves, weight=2),
    "broker-misbehaves-alone": Round(broker_misbehaves, shape="alone", weight=1),
    "disk-fails": Round(disk_fails, weight=2),
    "disk-fails-alone": Round(disk_fails, shape="alone", weight=1),
    "newest-epoch-lost": Round(newest_epoch_lost, weight=1),
    "newest-epoch-lost-alone": Round(newest_epoch_lost, shape="alone", weight=1),
}
