import StreamEngine

/// What is known of metrics' types: declared by `# TYPE`, or told by their names.
struct MetricTypes {
    private var declared: [String: String] = [:]

    /// Reads the `# TYPE` lines of an exposition.
    mutating func read(_ bytes: UnsafeBufferPointer<UInt8>) {
        let lead = Array("# TYPE ".utf8)
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != 0x0A { end += 1 }
            if end - start > lead.count, bytes[start] == UInt8(ascii: "#"),
                zip(lead, bytes[start...]).allSatisfy({ $0 == $1 })
            {
                let words = String(
                    decoding: UnsafeBufferPointer(rebasing: bytes[(start + lead.count)..<end]), as: UTF8.self
                )
                .split { $0 == " " || $0 == "\t" || $0 == "\r" }
                if words.count == 2 { declared[String(words[0])] = String(words[1]) }
            }
            start = end + 1
        }
    }

    /// Whether a metric is a counter; nil where neither a declaration nor its name tells.
    func isCounter(_ metric: String) -> Bool? {
        if let type = declared[metric] { return Self.isCounter(type, suffix: "") }
        // Families of histograms and summaries, and of OpenMetrics' counters, are declared without their suffix.
        for suffix in ["_total", "_bucket", "_count", "_sum"] where metric.hasSuffix(suffix) {
            if let type = declared[String(metric.dropLast(suffix.count))] {
                return Self.isCounter(type, suffix: suffix)
            }
            return true
        }
        return nil
    }

    private static func isCounter(_ type: String, suffix: String) -> Bool? {
        switch type {
        case "counter": true
        case "gauge": false
        case "histogram", "summary": suffix.isEmpty ? false : true
        default: nil
        }
    }
}
