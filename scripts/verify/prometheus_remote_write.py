#!/usr/bin/env python3
"""Captures what a real Prometheus sends by remote-write, with what its own storage says was sent.

    prometheus_remote_write.py --fixture FILE

A target of a few series is scraped each second; one series vanishes, then the target dies: both leave staleness markers. FILE
gets lines:
    message HEX            the body of one POST, in order
    sample TIME VALUE SERIES   one for each sample in the storage, staleness markers left out
"""
import argparse
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from prometheus_answers import free_port

bodies = []
scrapes = 0


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Target(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global scrapes
        scrapes += 1
        n = scrapes
        lines = [
            "# TYPE requests counter", "# HELP requests Requests.",
            f'requests_total{{code="200",path="/a b"}} {n * 7} # {{trace_id="x{n}"}} 1.5',
            f'requests_total{{code="500",path="/\\"q\\"\\\\n"}} {n}',
            "# TYPE temperature gauge", f'temperature{{room="küche",zone=""}} {20 + n / 8}', "temperature NaN",
            f"# TYPE odd unknown\nodd{{kind=\"inf\"}} +Inf\nodd{{kind=\"minus-inf\"}} -Inf\nodd{{kind=\"tiny\"}} 5e-324",
            "# TYPE latency histogram", f'latency_bucket{{le="0.1"}} {n}', f'latency_bucket{{le="+Inf"}} {2 * n}',
            f"latency_count {2 * n}", f"latency_sum {n * 0.3!r}",
        ]
        if n < 4:
            lines.append("# TYPE short_lived gauge\nshort_lived 1")
        lines.append("# EOF\n")
        body = "\n".join(lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixture", required=True)
    options = parser.parse_args()
    receiver, target = serve(Receiver), serve(Target)
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/prometheus.yml", "w") as f:
            f.write(f"""
global: {{scrape_interval: 1s, scrape_timeout: 900ms}}
scrape_configs:
  - job_name: target
    static_configs: [{{targets: ["127.0.0.1:{target.server_port}"]}}]
    relabel_configs: [{{target_label: instance, replacement: target}}]
remote_write:
  - url: http://127.0.0.1:{receiver.server_port}/write
    send_exemplars: true
    queue_config: {{batch_send_deadline: 300ms, max_shards: 1}}
    metadata_config: {{send_interval: 1s}}
""")
        url = f"http://127.0.0.1:{free_port()}"
        log = open(f"{folder}/log", "w")
        process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             "--enable-feature=exemplar-storage", f"--web.listen-address={url[7:]}"], stdout=log, stderr=log)
        try:
            until = time.monotonic() + 60
            while scrapes < 8:
                if time.monotonic() > until or process.poll() is not None:
                    sys.exit(f"prometheus does not scrape: {open(f'{folder}/log').read()[-1000:]}")
                time.sleep(0.05)
            target.shutdown()
            target.server_close()
            time.sleep(4)  # a failed scrape, its markers, and their sending
            query = urllib.parse.urlencode({"query": '{job="target",__name__!~"up|scrape_.*"}[10m]'})
            with urllib.request.urlopen(f"{url}/api/v1/query?{query}") as reply:
                stored = json.load(reply)["data"]["result"]
        finally:
            process.terminate()
            process.wait(30)
    lines = [f"message {body.hex()}" for body in bodies]
    for series in stored:
        labels = dict(series["metric"])
        name = labels.pop("__name__")
        inside = ",".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in sorted(labels.items()))
        for at, value in series["values"]:
            lines.append(f"sample {round(at * 1000)} {value} {name}{{{inside}}}")
    with open(options.fixture, "w") as f:
        f.write("\n".join(lines) + "\n")
    print(f"{len(bodies)} messages, {sum(len(s['values']) for s in stored)} samples in {options.fixture}")


if __name__ == "__main__":
    main()
