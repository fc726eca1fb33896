"""Troubles that last: the job goes on or stops with the reason (SEMANTICS §5-6), and never loops."""
import json
import random
import signal
import time

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from jobs import Shape
from outputs import manifest_rows
from workload import START_MS, TOPIC, Workload
from world import World

LOCAL, ALONE = Shape("local", True, True), Shape("alone", False, False)


def small_world(name, program, directory, shape, seed, **options):
    return World(name, program, directory, Workload(seed, partitions=2, messages=200), shape, seed, **options)


def stops(world, needles, timeout=60, instance="a"):
    """The job must end by itself with exit code 1 and say these words; the problems."""
    process = world.start(instance)
    code = process.wait(timeout)
    if code is None:
        process.kill()
        return [f"{process.log}: still runs after {timeout} s, and should have stopped naming {needles}"]
    text = process.error_text()
    missing = [needle for needle in needles if needle not in text.split("error", 1)[-1]]
    problems = [f"{process.log}: exit {code}, not 1"] if code != 1 else []
    return problems + [f"{process.log}: stops without naming {needle}" for needle in missing]


def undisturbed(program, directory, shape, seed):
    """What the small input gives when nothing happens."""
    world = small_world("undisturbed", program, directory, shape, seed)
    try:
        problems = world.finish("a")
        assert not problems, f"the undisturbed run is wrong: {problems}"
    finally:
        world.close()
    return world


def compared(disturb, shape, ignored=()):
    """A trouble that `disturb` brings about, after which the job must go on to the same output."""
    def run(program, directory, seed):
        directory.mkdir(parents=True)
        world = None
        try:
            expected = undisturbed(program, directory / "expected", shape, seed)
            world = small_world("trouble", program, directory / "trouble", shape, seed)
            problems = disturb(world)
            for place in ignored:
                expected.output.places[place] = {}
            if not problems:
                problems = world.finish("a", None if ignored else expected)
            return problems + world.unexpected
        except AssertionError as error:
            return [str(error)]
        finally:
            if world:
                world.close()
    return run


def configure(world, topic, **config):
    entries = [ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
               for name, value in config.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": world.cluster.address})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(20)


def rows_too_large(world):
    """Rows do not fit the topic's limit: stops, twice; with a larger limit it goes on."""
    world.feeder.raise_to(0.6)
    configure(world, "tumbling", max_message_bytes="120")
    problems = stops(world, ["tumbling"]) + stops(world, ["tumbling"])
    configure(world, "tumbling", max_message_bytes="1000000")
    return problems


def refused(api, code, needles):
    """The broker refuses for good: stops with the reason; when allowed again it goes on."""
    def disturb(world):
        world.feeder.raise_to(0.3)
        process = world.start("a")
        world.wait_for_progress(world.offsets(), process, 20)
        # The refusal is for the job, not for the one that feeds it.
        process.signal(signal.SIGSTOP)
        world.feeder.raise_to(0.8)
        while world.feeder.next[0] < world.feeder.limit:
            time.sleep(0.02)
        assert world.feeder.producer.flush(20) == 0
        world.cluster.fault(f"error {api} {code} 1000000")
        process.signal(signal.SIGCONT)
        code_ = process.wait(60)
        problems = []
        if code_ is None:
            process.kill()
            problems.append(f"{process.log}: still runs 60 s after {api} is refused with {code}")
        elif code_ != 1:
            problems.append(f"{process.log}: exit {code_}, not 1, after {api} is refused with {code}")
        else:
            text = process.error_text().split("error", 1)[-1]
            problems += [f"{process.log}: stops without naming {n}" for n in needles if n not in text]
        world.cluster.fault("clear")
        return problems
    return disturb


def topic_deleted(program, directory, seed):
    """An output topic goes away while the job runs: stops naming it; made again, the job goes on."""
    directory.mkdir(parents=True)
    world = small_world("trouble", program, directory / "trouble", LOCAL, seed)
    try:
        world.feeder.raise_to(0.4)
        process = world.start("a")
        world.wait_for_progress(world.offsets(), process, 20)
        world.cluster.delete("sliding")
        world.feeder.raise_to(0.7)
        code = process.wait(90)
        problems = []
        if code is None:
            process.kill()
            problems.append(f"{process.log}: still runs 90 s after its output topic is gone")
        elif code != 1 or "sliding" not in process.error_text().split("error", 1)[-1]:
            problems.append(f"{process.log}: exit {code}, not 1 with the topic's name")
        problems += stops(world, ["sliding"])
        world.cluster.create({"sliding": 2})
        problems += world.finish("a")
        return problems + world.unexpected
    except AssertionError as error:
        return [str(error)]
    finally:
        world.close()


def rubbish(shape):
    """A record of 1 MB of rubbish becomes a dead letter that fits; the job goes on."""
    def run(program, directory, seed):
        directory.mkdir(parents=True)
        world = small_world("trouble", program, directory / "trouble", shape, seed)
        try:
            world.feeder.raise_to(0.5)
            while world.feeder.next[1] < 90:
                time.sleep(0.02)
            with world.feeder.idle:
                for bytes_ in (random.Random(seed).randbytes(990_000), b"x" * 990_000):
                    world.feeder.producer.produce(TOPIC, bytes_, partition=0, timestamp=START_MS)
                world.feeder.producer.flush(20)
            problems = world.finish("a")
            if shape.dead_letters_to_kafka:
                lines = [value for _, value in world.cluster.read("dead-letters", 1)[0]]
            else:
                lines = manifest_rows(world.work / "checkpoint/dead-letter")
            letters = [json.loads(line) for line in lines]
            truncated = [letter for letter in letters if letter.get("rawTruncated")]
            if not problems and not any(letter["reason"] == "lineTooLong" for letter in letters):
                problems.append(f"no dead letter says lineTooLong: {sorted({l['reason'] for l in letters})}")
            if not problems and shape.dead_letters_to_kafka and not truncated:
                problems.append("no dead letter is marked rawTruncated")
            return problems + world.unexpected
        except AssertionError as error:
            return [str(error)]
        finally:
            world.close()
    return run


TROUBLES = {
    "rows-too-large": compared(rows_too_large, LOCAL),
    "produce-refused": compared(refused("Produce", "TOPIC_AUTHORIZATION_FAILED", []), LOCAL),
    "partitions-refused": compared(refused("AddPartitionsToTxn", "TOPIC_AUTHORIZATION_FAILED", []), LOCAL),
    "group-refused": compared(refused("AddOffsetsToTxn", "GROUP_AUTHORIZATION_FAILED", ["group"]), ALONE),
    "transactions-refused": compared(
        refused("EndTxn", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", ["Transactional Id"]), ALONE),
    "topic-deleted": topic_deleted,
    "rubbish": rubbish(LOCAL),
    "rubbish-alone": rubbish(ALONE),
}
