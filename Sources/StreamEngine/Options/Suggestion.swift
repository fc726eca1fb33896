/// "Did you mean": the nearest of the known names.
public enum Suggestion {
    /// The name nearest to what was typed, nil where none is near. Case is forgiven; the distance allowed grows with the
    /// length of the word: one edit for up to 4 letters, two up to 8, else three.
    public static func nearest(_ typed: String, among known: [String]) -> String? {
        let typedLower = typed.lowercased()
        let allowed = typed.count <= 4 ? 1 : typed.count <= 8 ? 2 : 3
        var best: (name: String, distance: Int)?
        for name in known where name != typed {
            let distance = distance(typedLower, name.lowercased())
            if distance <= allowed, distance < name.count, distance < best?.distance ?? Int.max {
                best = (name, distance)
            }
        }
        return best?.name ?? synonyms[typedLower].flatMap { known.contains($0) ? $0 : nil }
    }

    /// Edits (insert, delete, replace, swap neighbours) from one text to the other: the optimal string alignment
    /// distance. O(n·m); texts over 64 characters count as far.
    public static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a.unicodeScalars)
        let b = Array(b.unicodeScalars)
        guard a.count <= 64, b.count <= 64 else { return Int.max }
        guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
        var twoAgo: [Int] = []
        var previous = Array(0...b.count)
        for i in 1...a.count {
            var current = [i]
            for j in 1...b.count {
                let replaced = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                var least = min(replaced, previous[j] + 1, current[j - 1] + 1)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { least = min(least, twoAgo[j - 2] + 1) }
                current.append(least)
            }
            twoAgo = previous
            previous = current
        }
        return previous[b.count]
    }

    /// What other systems call things.
    private static let synonyms = [
        "mean": "avg", "average": "avg", "stdev": "stddev", "std": "stddev", "var": "variance", "total": "sum",
        "minimum": "min", "maximum": "max", "percentile": "quantile", "median": "quantile", "len": "count",
        "size": "count", "count_distinct": "approx_distinct", "approx_count_distinct": "approx_distinct",
        "filter": "where", "group": "groupBy", "group_by": "groupBy", "by": "groupBy", "mode": "outputMode",
        "output": "sinks", "topic": "topics", "servers": "brokers", "bootstrap.servers": "brokers",
        "bootstrap": "brokers", "aggs": "aggregates", "agg": "aggregates", "source": "sources", "query": "queries",
        "grace": "allowedLateness", "lateness": "allowedLateness", "interval": "slide", "every": "slide",
        "width": "size", "length": "size", "json": "jsonl",
    ]
}
