import Platform
import Testing

/// A folder of `Fixtures/cases`: a job, its input, and what must come out (the folder's README says how it was computed).
struct ConformanceCase: CustomTestStringConvertible, Sendable {
    let name: String

    static let all: [ConformanceCase] = {
        let names = (try? PosixFileSystem().list(BuiltProgram.fixture("cases"))) ?? []
        return names.filter { $0 != "README.md" }.map { ConformanceCase(name: $0) }
    }()

    var testDescription: String { name }
    var directory: String { BuiltProgram.fixture("cases/\(name)") }
    var job: String { "\(directory)/job.yaml" }

    /// The sources with their input directories.
    func inputs() throws -> [(source: String, path: String)] {
        try PosixFileSystem().list(directory).filter { $0.hasPrefix("input-") }.map {
            (String($0.dropFirst("input-".count)), "\(directory)/\($0)")
        }
    }

    func read(_ name: String) throws -> String {
        String(decoding: try PosixFileSystem().readAll("\(directory)/\(name)", limit: .max), as: UTF8.self)
    }

    /// The queries in the job's order; each writes its rows to `rows-NAME`.
    func queries() throws -> [ConformanceQuery] {
        let summary = try JSON(read("expected-summary.json"))
        let rows = try JSON.lines(read("expected.jsonl"))
        guard case .object(let queries)? = summary["queries"] else { return [] }
        return try queries.keys.sorted().map { name in
            ConformanceQuery(
                name: name, rows: rows.filter { $0["query"] == .text(name) }, job: try read("job.yaml"))
        }
    }
}

/// One query of a case, with the rows expected of it.
struct ConformanceQuery {
    let name: String
    let rows: [JSON]
    /// What each aggregate computes, by its column: `sum`, `avg`, …
    let functions: [String: String]
    let isUpdate: Bool

    init(name: String, rows: [JSON], job: String) {
        self.name = name
        self.rows = rows
        var functions: [String: String] = [:]
        // `    n: count()` and the like; the cases' jobs give a column the same function in every query.
        for line in job.split(separator: "\n") where line.contains("(") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let column = parts[0].drop { " -".contains($0) }
            functions[String(column)] = String(parts[1].drop { " '\"".contains($0) }.prefix { $0 != "(" })
        }
        self.functions = functions
        isUpdate = job.contains("outputMode: update")
    }

    /// Compares rows with the expected ones; gives what differs, at most ten findings.
    func differences(_ got: [JSON]) -> [String] {
        let found = isUpdate ? lastOfEach(got) : got
        var differences: [String] = []
        if found.count != rows.count { differences.append("\(found.count) rows, expected \(rows.count)") }
        for (index, (row, expected)) in zip(found, rows).enumerated() {
            guard case .object(let members) = expected, case .object(let own) = row else { continue }
            if Set(members.keys) != Set(own.keys) {
                differences.append("row \(index): columns \(own.keys.sorted()), expected \(members.keys.sorted())")
            }
            for (column, value) in members.sorted(by: { $0.key < $1.key })
            where !agree(own[column] ?? .null, value, column: column) {
                differences.append(
                    "row \(index) (\(members["window_end"]?.text ?? "")): \(column) is \(String(describing: own[column])), expected \(value)"
                )
            }
            if differences.count >= 10 { break }
        }
        return differences
    }

    /// In update mode the last row of each window and key counts; windows come in the order they are finished.
    private func lastOfEach(_ got: [JSON]) -> [JSON] {
        func key(_ row: JSON) -> String {
            guard case .object(let members) = row else { return "" }
            return members.filter { functions[$0.key] == nil }.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
                .joined(separator: ",")
        }
        var last: [String: JSON] = [:]
        for row in got { last[key(row)] = row }
        // Rows no expectation names stay in the list, so that they are found.
        var ordered: [JSON] = []
        for row in rows { if let found = last.removeValue(forKey: key(row)) { ordered.append(found) } }
        return ordered + last.sorted { $0.key < $1.key }.map(\.value)
    }

    /// The tolerances of the cases' README.
    private func agree(_ found: JSON, _ expected: JSON, column: String) -> Bool {
        let function = functions[column] ?? ""
        if function == "quantile", case .array(let bounds) = expected, bounds.count == 2 {
            guard let value = found.number, let low = bounds[0].number, let high = bounds[1].number else {
                return found == .null && bounds[0] == .null
            }
            return [low, high].contains { abs(value - $0) <= 0.01 * abs($0) + 1e-12 } || (value >= low && value <= high)
        }
        guard let value = found.number, let wanted = expected.number else { return found == expected }
        if value == wanted || (value.isNaN && wanted.isNaN) { return true }
        guard value.isFinite, wanted.isFinite else { return false }
        let relative: Double? =
            switch function {
            case "sum", "avg": 1e-12
            case "stddev", "stddev_pop", "variance": 1e-9
            default: nil
            }
        guard let relative else { return false }
        return abs(value - wanted) <= relative * abs(wanted) + (cancellation[column] ?? 0)
    }

    /// What cancelling values may lose: 1e-31 · n · Σ|x| for sums, 1e-15 · max|x| for deviations. The cases' largest
    /// magnitudes are bounded by 1e17 and 1e7, a hundred values each.
    private var cancellation: [String: Double] {
        functions.mapValues { ["stddev", "stddev_pop", "variance"].contains($0) ? 1e-8 : 1e-12 }
    }
}
