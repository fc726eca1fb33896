"""What checks of a live job share: the Kafka client for Python, and an embedded broker in a process of its own."""
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def need_kafka_client():
    """Where confluent-kafka is missing, installs it into .build/verify-tools/venv and goes on there, from the start."""
    try:
        import confluent_kafka  # noqa: F401
    except ImportError:
        venv = os.path.join(ROOT, ".build/verify-tools/venv")
        if os.environ.get("IN_VENV"):
            raise
        if not os.path.exists(f"{venv}/bin/python"):
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([f"{venv}/bin/pip", "install", "-q", "confluent-kafka>=2.6"], check=True)
        os.execve(f"{venv}/bin/python", [f"{venv}/bin/python"] + sys.argv, dict(os.environ, IN_VENV="1"))


def cpu_seconds(pid):
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def embedded_broker(binary, name, arguments):
    """Gives the broker's address, a folder, and a list of child processes that are ended at the end with the broker.

    `{folder}` in an argument stands for the folder."""
    folder = tempfile.mkdtemp(prefix=f"{name}-")
    children = []
    try:
        broker = subprocess.Popen(
            [binary, "broker", "--listen", "127.0.0.1:0"] + [a.replace("{folder}", folder) for a in arguments],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        children.append(broker)
        yield broker.stdout.readline().split()[-1], folder, children
    finally:
        for child in reversed(children):
            if child.poll() is None:
                child.terminate()
                child.wait(10)
        shutil.rmtree(folder)
