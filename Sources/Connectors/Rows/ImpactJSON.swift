import StreamEngine

extension ImpactRow {
    /// The row as a JSON object, times in RFC 3339. What has no value is `null`.
    func json(job: String) -> [UInt8] {
        var out = JSONObject()
        out.add("job", text: job.utf8)
        out.add("query", text: query.utf8)
        out.add("impact", text: impact.utf8)
        out.add("timestamp", timeMs: event.timestampMs)
        out.add("source", text: event.source.utf8)
        out.add("type", text: event.type.bytes)
        out.add("reason", text: event.reason.bytes)
        out.add("severity", text: event.severity.bytes)
        out.add("object", text: event.object.bytes)
        out.add("message", text: event.message.bytes)
        out.add("eventLabels", raw: JSONObject.of(event.labels))
        out.add("labels", raw: JSONObject.of(labels))
        out.add("column", text: column.utf8)
        for (name, number) in [("before", before), ("after", after), ("change", change), ("relative", relative)] {
            if let number { out.add(name, number: number) } else { out.addNull(name) }
        }
        out.add("windowsBefore", integer: Int64(windowsBefore))
        out.add("windowsAfter", integer: Int64(windowsAfter))
        return out.closed
    }

    /// `node=a,mode=user`: all rows of one key lie in one partition, in order.
    var kafkaKey: [UInt8] { RowKey.text(labels) }
}
