import Connectors
import Glibc
import Platform
import StreamEngine

extension JobDoctor {
    /// Whether every sink could be written. Writes nothing.
    func checkSinks() throws(BrokenLink) {
        var found: [String] = []
        for query in definition.queries {
            for sink in query.sinks + (query.late.map { [$0] } ?? []) {
                found.append(try check(sink, "query \(query.name)"))
            }
        }
        if let sink = definition.deadLetter.sink, definition.onBadRecord == .deadLetter {
            found.append(try check(sink, "deadLetter"))
        }
        try checkDirectory(definition.checkpoint.location, "checkpoint")
        report(.ok(.sinks, "sinks can be written: \(found.isEmpty ? "none" : found.joined(separator: ", "))"))
    }

    private func check(_ sink: SinkDefinition, _ owner: String) throws(BrokenLink) -> String {
        let text = registries.sink(sink.kind)?.describe(sink.options) ?? sink.kind
        if sink.kind == "kafka", let topic = sink.options.text("topic") {
            return try checkTopic(topic, sink, owner, text)
        }
        if sink.options.declares("path"), let path = sink.options.text("path") {
            try checkDirectory(path, "\(owner): sink \(text)")
        }
        return text
    }

    private func checkTopic(
        _ topic: String, _ sink: SinkDefinition, _ owner: String, _ text: String
    ) throws(BrokenLink) -> String {
        var connection = definition.kafka
        if let brokers = sink.options.text("brokers") { connection.brokers = brokers }
        let counts = try ask(connection, .sinks) { cluster throws(SourceError) in
            try cluster.partitionCounts(timeoutMs: 10_000)
        }
        guard counts[topic] == nil else { return text }
        guard sink.options.object("create") == nil else { return "\(text) (to be made)" }
        let near = Suggestion.nearest(topic, among: Array(counts.keys))
        throw BrokenLink(
            .sinks, "\(owner): sink \(text): there is no topic \(topic) on \(connection.brokers ?? "")",
            mend: (near.map { "did you mean \($0)? " } ?? "")
                + "create it, or let the sink do it: `kafka: {topic: \(topic), create: {partitions: 1, replication: 1}}`"
        )
    }

    /// A directory that is there must be writable, else the nearest one above it.
    private func checkDirectory(_ path: String, _ what: String) throws(BrokenLink) {
        var place = path
        while access(place, F_OK) != 0, place != "/", place != "." { place = FilePath.directory(of: place) }
        var facts = stat()
        let isDirectory = stat(place, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
        guard isDirectory else {
            throw BrokenLink(.sinks, "\(what): \(place) is no directory", mend: "choose another path than \(path)")
        }
        guard access(place, W_OK | X_OK) == 0 else {
            throw BrokenLink(
                .sinks, "\(what): \(place) may not be written: \(String(cString: strerror(errno)))",
                mend: "allow it, or choose another path than \(path)")
        }
    }
}
