import StreamEngine

extension AnomalyRow {
    /// The row as a JSON object (JOBS.md "Rows out"), times in RFC 3339. What a detector does not say is `null`.
    func json(job: String) -> [UInt8] {
        var out = JSONObject()
        out.add("job", text: job.utf8)
        out.add("query", text: query.utf8)
        out.add("detector", text: detector.utf8)
        out.add("type", text: type.utf8)
        out.add("timestamp", timeMs: windowEndMs)
        out.add("window_start", timeMs: windowStartMs)
        out.add("window_end", timeMs: windowEndMs)
        out.add("labels", raw: JSONObject.of(labels))
        if let column { out.add("column", text: column.utf8) } else { out.addNull("column") }
        for (name, number) in [("value", value), ("expected", expected), ("lower", lower), ("upper", upper)] {
            if let number { out.add(name, number: number) } else { out.addNull(name) }
        }
        out.add("score", number: score)
        out.add("state", text: state.rawValue.utf8)
        out.add("severity", text: severity.utf8)
        out.add("reason", text: reason.utf8)
        out.add("startedAt", timeMs: startedAtMs)
        if let incidentID { out.add("incidentId", text: incidentID.utf8) } else { out.addNull("incidentId") }
        out.add("context", raw: contextJSON)
        out.add("annotations", raw: JSONObject.of(annotations))
        return out.closed
    }

    /// `node=a,mode=user`: all rows of one key lie in one partition, in order.
    var kafkaKey: [UInt8] { RowKey.text(key) }

    /// The events beside it as a JSON array.
    var contextJSON: [UInt8] {
        let items = context.map(Self.event)
        return [UInt8(ascii: "[")] + items.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")]
    }

    private static func event(_ event: AnomalyEvent) -> [UInt8] {
        var out = JSONObject()
        out.add("source", text: event.source.utf8)
        out.add("action", text: event.action.rawValue.utf8)
        out.add("timestamp", timeMs: event.timestampMs)
        out.add("type", text: event.type.bytes)
        out.add("reason", text: event.reason.bytes)
        out.add("severity", text: event.severity.bytes)
        out.add("object", text: event.object.bytes)
        out.add("message", text: event.message.bytes)
        out.add("labels", raw: JSONObject.of(event.labels))
        return out.closed
    }
}

extension JSONObject {
    /// Labels as members.
    static func of(_ labels: [Label]) -> [UInt8] {
        var out = JSONObject()
        for label in labels { out.add(label.name.bytes, text: label.value.bytes) }
        return out.closed
    }
}
