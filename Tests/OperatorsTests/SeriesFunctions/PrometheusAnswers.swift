import Glibc
import StreamEngine

/// Samples and the answers a real Prometheus gave over them, as `scripts/verify/prometheus_answers.py` writes them.
struct PrometheusAnswers {
    struct Series {
        var key: String
        var timestampsMs: [Int64] = []
        var values: [Double] = []
    }

    struct Answer {
        var function: String
        /// nil where the function takes no number.
        var parameter: Double?
        var key: String
        /// One for each window; nil where Prometheus gave none.
        var values: [Double?]
    }

    struct Windows {
        var name: String
        var sizeMs: Int64
        var stepMs: Int64
        var firstEndMs: Int64
        var count: Int
        var answers: [Answer] = []

        /// Bounds of the n-th window.
        func bounds(_ n: Int) -> Range<Int64> {
            let end = firstEndMs + Int64(n) * stepMs
            return (end - sizeMs)..<end
        }
    }

    var series: [String: Series] = [:]
    var sets: [Windows] = []

    struct Unreadable: Error { var line: String }

    /// The answers committed beside this file, or those in the file that PROMETHEUS_ANSWERS names (another seed).
    static func committed(_ file: String = #filePath) throws -> PrometheusAnswers {
        if let other = getenv("PROMETHEUS_ANSWERS") {
            return try PrometheusAnswers(text: readText(String(cString: other)))
        }
        let folder = file[..<(file.lastIndex(of: "/") ?? file.startIndex)]
        return try PrometheusAnswers(text: readText("\(folder)/Fixtures/prometheus-2.42.txt"))
    }

    private static func readText(_ path: String) throws -> String {
        guard let file = fopen(path, "r") else { throw Unreadable(line: path) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    private init(text: String) throws {
        var startMs: Int64 = 0
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            switch words[0] {
            case "start": startMs = Int64(words[1]) ?? 0
            case "series": series[String(words[1])] = try Self.series(words, startMs: startMs)
            case "set":
                let numbers = words[2...].compactMap { Int64($0) }
                guard numbers.count == 4 else { throw Unreadable(line: String(line)) }
                sets.append(
                    Windows(
                        name: String(words[1]), sizeMs: numbers[0], stepMs: numbers[1], firstEndMs: numbers[2],
                        count: Int(numbers[3])))
            case "answer": sets[sets.count - 1].answers.append(try Self.answer(words))
            default: throw Unreadable(line: String(line))
            }
        }
    }

    /// Staleness markers are left out, as the engine leaves them out.
    private static func series(_ words: [Substring], startMs: Int64) throws -> Series {
        var series = Series(key: String(words[1]))
        var last = startMs
        for word in words[3...] {
            let pair = word.split(separator: ":")
            guard pair.count == 2, let delta = Int64(pair[0]) else { throw Unreadable(line: String(word)) }
            last += delta
            if pair[1] == "stale" { continue }
            series.timestampsMs.append(last)
            series.values.append(try number(pair[1]))
        }
        return series
    }

    private static func answer(_ words: [Substring]) throws -> Answer {
        var answer = Answer(
            function: String(words[1]), parameter: words[2] == "None" ? nil : try number(words[2]),
            key: words[3] == "-" ? "" : String(words[3]), values: [])
        for word in words[4...] {
            let parts = word.split(separator: "*")
            let value: Double? = parts[0] == "-" ? nil : try number(parts[0])
            answer.values += Array(repeating: value, count: parts.count == 2 ? Int(parts[1]) ?? 0 : 1)
        }
        return answer
    }

    private static func number(_ text: Substring) throws -> Double {
        switch text {
        case "NaN": return .nan
        case "+Inf": return .infinity
        case "-Inf": return -.infinity
        default:
            guard let value = Double(text) else { throw Unreadable(line: String(text)) }
            return value
        }
    }
}

/// Whether two answers are the same to 1e-12 relative: both absent, both NaN, the same infinity, or close.
func agrees(_ a: Double?, _ b: Double?) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    if a.isNaN || b.isNaN { return a.isNaN && b.isNaN }
    if a == b { return true }
    return abs(a - b) <= 1e-12 * max(abs(a), abs(b))
}
