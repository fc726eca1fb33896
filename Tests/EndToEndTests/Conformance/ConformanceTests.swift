import Connectors
import Platform
import Testing

/// Every case of `Fixtures/cases`, through the built program.
@Suite struct ConformanceTests {
    @Test func casesAreThere() { #expect(ConformanceCase.all.count >= 34) }

    @Test(arguments: ConformanceCase.all)
    func rowsOrderAndSummary(_ test: ConformanceCase) throws {
        let scratch = try Scratch()
        let replay = try Replay(test.job, inputs: test.inputs(), in: scratch)
        for query in try test.queries() {
            let rows = try JSON.lines(replay.text("rows-\(query.name)"))
            let differences = query.differences(rows)
            #expect(differences.isEmpty, "\(test.name), query \(query.name): \(differences.joined(separator: "\n"))")
        }
        let expected = try JSON(test.read("expected-summary.json"))
        let missing = lacks(replay.summary, expected, path: "")
        #expect(missing.isEmpty, "\(test.name): \(missing.joined(separator: "\n"))")
    }

    /// Other batches, other pace, other files: the same bytes.
    @Test(arguments: ConformanceCase.all)
    func sameBytesFromGzipSmallTriggersAndSlowPace(_ test: ConformanceCase) throws {
        let queries = try test.queries()
        guard !queries.contains(where: \.isUpdate) else { return }
        let scratch = try Scratch()
        let plain = try Replay(test.job, inputs: test.inputs(), in: scratch)
        var zipped: [(source: String, path: String)] = []
        for input in try test.inputs() {
            let copy = scratch.fresh("input")
            try #require(try BuiltProgram.start("cp", ["-r", input.path, copy], in: scratch).result().code == 0)
            try #require(
                try BuiltProgram.start("find", [copy, "-type", "f", "-exec", "gzip", "{}", "+"], in: scratch)
                    .result().code == 0)
            zipped.append((input.source, copy))
        }
        let slow = try Replay(
            test.job, inputs: zipped,
            options: ["--set", "trigger.interval=10ms", "--speed", "\(speed(queries))x", "--workers", "3"], in: scratch)
        for query in queries {
            #expect(try plain.bytes("rows-\(query.name)") == slow.bytes("rows-\(query.name)"), "query \(query.name)")
        }
    }

    /// A speed at which the windows of the expected rows pass in about 200 ms.
    private func speed(_ queries: [ConformanceQuery]) -> Int {
        let times = queries.flatMap(\.rows).flatMap { row in
            ["window_start", "window_end"].compactMap { row[$0]?.text.flatMap(milliseconds) }
        }
        guard let first = times.min(), let last = times.max() else { return 1000 }
        return max(1, Int((last - first) / 200))
    }

    /// Roughly: months are taken as 31 days, which is fine for a pace.
    private func milliseconds(_ text: String) -> Int64? {
        let parts = text.split { !$0.isNumber }.compactMap { Int64($0) }
        guard parts.count == 7 else { return nil }
        let days = (parts[0] * 12 + parts[1]) * 31 + parts[2]
        return (((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5]) * 1000 + parts[6]
    }

    /// What `expected` has and `found` has not.
    private func lacks(_ found: JSON, _ expected: JSON, path: String) -> [String] {
        guard case .object(let members) = expected else {
            return found == expected ? [] : ["\(path) is \(found), expected \(expected)"]
        }
        return members.sorted { $0.key < $1.key }.flatMap { key, value in
            found[key].map { lacks($0, value, path: "\(path).\(key)") } ?? ["\(path).\(key) is missing"]
        }
    }
}
