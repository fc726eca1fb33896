"""This project's side of the comparison: the job as a user would write it, run by `stream-job replay`."""

JOB = """
name: peers
sources:
  metrics: {{kafka: {{topics: [metrics]}}, format: sample-json, watermark: {{delay: 0s}}}}
queries:
  - name: q
    window: {window}
    groupBy: [name, instance]
    aggregates: {{n: count(), s: sum(value), a: avg(value), lo: min(value), hi: max(value), sd: stddev(value)}}
    sinks: [{{{sink}: {{path: rows}}}}]
"""
WINDOWS = {"tumbling": "{size: 1m}", "sliding": "{size: 5m, slide: 10s}", "series": "{size: 1m}"}


def command(program, query, inputs, output, workers, options=(), sink="parquet"):
    job = output.parent / f"{query}.yaml"
    job.write_text(JOB.format(window=WINDOWS[query], sink=sink))
    return [program, "replay", str(job), "--input", f"metrics={inputs}", "--output", str(output), "--workers", str(workers),
            "--summary", "json", *options]


def checked(result, samples, rows):
    """A run's result (measure.run) with what its summary tells; one that has not taken all samples into windows, or has not given
    the rows that they must give, has failed."""
    summary = result["told"]
    taken = sum(query.get("aggregated", 0) for query in summary.get("queries", {}).values())
    result["told"] = {"steadySeconds": summary.get("seconds"), "rows": summary.get("rows"), "version": "this tree"}
    if result["ok"] and (taken, summary.get("rows")) != (samples, rows):
        result.update(ok=False, error=f"{taken} samples in windows and {summary.get('rows')} rows, not {samples} and {rows}")
    return result
