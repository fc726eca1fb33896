import Platform
import TestSupport
import Testing

@testable import StreamEngine

/// Means before and after events.
@Suite struct ImpactTests {
    static let minute: Int64 = 60_000
    private static let schema = OptionSchema(
        "impact", "",
        [
            .required("from", .string, ""), .optional("where", .text(.expression), ""),
            .defaulted("match", .list(.text(.column)), .list([]), ""), .required("before", .duration, ""),
            .required("after", .duration, ""), .defaulted("maxWait", .duration, .duration(120_000), ""),
        ])

    static func impact(
        match: [String] = ["node"], filter: String? = nil, before: String = "3m", after: String = "2m"
    ) -> ImpactDefinition {
        func scalar(_ text: String) -> OptionNode { OptionNode(.scalar(OptionScalar(text))) }
        var entries = [
            OptionEntry("from", scalar("changes")), OptionEntry("before", scalar(before)),
            OptionEntry("after", scalar(after)), OptionEntry("match", OptionNode(.list(match.map(scalar)))),
        ]
        if let filter { entries.append(OptionEntry("where", scalar(filter))) }
        var check = OptionCheck()
        let options = schema.check(OptionNode(.map(entries)), path: "", into: &check)
        #expect(check.diagnostics.isEmpty, "\(check.diagnostics)")
        return ImpactDefinition(name: "i", column: "v", events: options)
    }

    static func event(
        _ timeMs: Int64, _ node: String, type: String = "Upgrade", partition: Int32 = 0
    ) -> BroadcastEvent {
        BroadcastEvent(
            timestampMs: timeMs,
            series: SeriesLabels(
                name: .empty, labels: [Label("node", ByteString(node)), Label("type", ByteString(type))]),
            message: .empty, partition: PartitionID(source: "changes", topic: "changes", partition: partition),
            offset: 0)
    }

    private func told(_ bench: DetectorBench) -> [String] {
        func text(_ value: Double?) -> String { value.map { "\($0)" } ?? "-" }
        return bench.impacts.map {
            "\($0.event.timestampMs / 1000) \($0.labels[0].value): \(text($0.before))/\($0.windowsBefore) "
                + "\(text($0.after))/\($0.windowsAfter)"
        }
    }

    @Test func theWindowOfTheEventCountsForNeither() throws {
        let bench = try DetectorBench([], impacts: [Self.impact()])
        let events = bench.anomalies.impactEvents[0]
        events.watermarkMs = .max
        events.take(Self.event(4 * Self.minute, "a"))
        events.take(Self.event(4 * Self.minute + 1, "a"))
        events.take(Self.event(6 * Self.minute, "b"))
        bench.windows([1, 2, 3, 4, 50, 60, 70, 80, 90])
        // 6 min + `after` is past the last window with data of `b` too: that it has none gives no row.
        #expect(told(bench) == ["240 a: 3.0/3 55.0/2", "240 a: 3.5/2 60.0/1"])
        #expect(bench.impacts[0].change == 52)
        #expect(bench.impacts[0].relative == 52.0 / 3)
    }

    @Test func aRowComesWithTheWindowThatSettlesIt() throws {
        let bench = try DetectorBench([], impacts: [Self.impact()])
        let events = bench.anomalies.impactEvents[0]
        events.take(Self.event(2 * Self.minute, "a"))
        for number in 0..<4 { bench.window(Int64(number), [(["a"], Double(number))]) }
        #expect(bench.impacts.isEmpty, "the events' watermark says nothing yet")
        events.watermarkMs = 2 * Self.minute
        bench.release()
        #expect(bench.impacts.isEmpty, "another event of that time may come")
        events.watermarkMs = 2 * Self.minute + 1
        bench.release()
        #expect(told(bench) == ["120 a: 0.5/2 2.5/2"])
    }

    @Test func rowsDoNotWaitForEver() throws {
        let bench = try DetectorBench([], impacts: [Self.impact()])
        bench.window(0, [(["a"], 1)])
        bench.release(nowMs: 119_999)
        #expect(bench.timeouts.isEmpty)
        bench.release(nowMs: 120_000)
        #expect(bench.timeouts == ["impact/i 0 0"])
    }

    @Test func missingValuesAndZeroes() throws {
        let bench = try DetectorBench([], impacts: [Self.impact(match: [])])
        let events = bench.anomalies.impactEvents[0]
        events.watermarkMs = .max
        events.take(Self.event(3 * Self.minute, "x"))
        for number in 0..<6 {
            var rows: [DetectorBench.Row] = [(["zero"], number < 3 ? 0 : 4), (["null"], nil)]
            if number < 3 { rows.append((["gone"], .infinity)) }
            if number > 3 { rows.append((["new"], .nan)) }
            bench.window(Int64(number), rows)
        }
        #expect(told(bench) == ["180 gone: inf/3 -/0", "180 new: -/0 nan/1", "180 zero: 0.0/3 4.0/2"])
        #expect(bench.impacts.map(\.relative) == [nil, nil, nil])
        #expect(bench.impacts.map(\.change) == [nil, nil, 4])
    }

    /// Random rows and events, cut by restarts: the rows are those of one run, and those of the definition.
    @Test func aRestartChangesNothing() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed: seed)
        var all = 0
        for _ in 0..<12 {
            let beforeMinutes = 1 + random.below(6)
            let afterMinutes = 1 + random.below(6)
            let impact = Self.impact(
                match: random.below(3) == 0 ? [] : ["node"], filter: "type == \"Upgrade\"",
                before: "\(beforeMinutes)m", after: "\(afterMinutes)m")
            let straight = try DetectorBench([], keyTTLMs: 300_000, impacts: [impact])
            let cut = try DetectorBench([], keyTTLMs: 300_000, impacts: [impact])
            let events = (0..<60).map { _ in
                Self.event(
                    Int64(random.below(120 * 60)) * 1000, "n\(random.below(4))",
                    type: random.below(3) == 0 ? "Other" : "Upgrade", partition: Int32(random.below(3)))
            }
            var values: [Int64: [String: Double]] = [:]
            var number: Int64 = 0
            while number < 110 {
                number += random.below(15) == 0 ? Int64(1 + random.below(9)) : 1
                for key in 0..<4 where random.below(4) > 0 {
                    values[number, default: [:]]["n\(key)"] = Double(random.below(1000)) / 7
                }
            }
            for bench in [straight, cut] {
                for event in events { bench.anomalies.impactEvents[0].take(event) }
            }
            for window in values.keys.sorted() {
                let rows = values[window, default: [:]].map { ([$0.key], Optional($0.value)) as DetectorBench.Row }
                for bench in [straight, cut] {
                    // Events come with their watermark, a window late: it waits.
                    bench.anomalies.impactEvents[0].watermarkMs = (window - Int64(afterMinutes)) * Self.minute
                    bench.window(window, rows)
                }
                if random.below(6) == 0 {
                    try cut.restart()
                    for event in events { cut.anomalies.impactEvents[0].take(event) }
                }
            }
            for bench in [straight, cut] {
                bench.anomalies.impactEvents[0].watermarkMs = .max
                bench.release()
            }
            #expect(straight.impacts == cut.impacts, "seed \(seed)")
            #expect(straight.state == cut.state, "seed \(seed)")
            let wanted = expected(
                events, values, before: Int64(beforeMinutes), after: Int64(afterMinutes),
                matched: !impact.events.texts("match").isEmpty)
            let found = straight.impacts.map {
                Expected(
                    timeMs: $0.event.timestampMs, key: $0.labels[0].value.description, before: $0.windowsBefore,
                    after: $0.windowsAfter)
            }
            #expect(found == wanted, "seed \(seed)")
            all += found.count
        }
        #expect(all > 10, "seed \(seed)")
    }

    private struct Expected: Equatable {
        let timeMs: Int64
        let key: String
        let before: Int
        let after: Int
    }

    private func expected(
        _ events: [BroadcastEvent], _ values: [Int64: [String: Double]], before: Int64, after: Int64, matched: Bool
    ) -> [Expected] {
        let newestEndMs = ((values.keys.max() ?? 0) + 1) * Self.minute
        let inOrder = events.enumerated().sorted {
            ($0.element.timestampMs, $0.element.partition.partition, $0.offset)
                < ($1.element.timestampMs, $1.element.partition.partition, $1.offset)
        }.map(\.element)
        var rows: [Expected] = []
        for event in inOrder where event.series.value(of: "type") == "Upgrade" {
            let atMs = event.timestampMs
            guard atMs + after * Self.minute <= newestEndMs else { continue }
            for key in ["n0", "n1", "n2", "n3"] where !matched || event.series.value(of: "node") == ByteString(key) {
                func count(_ fromMs: Int64, _ toMs: Int64) -> Int {
                    values.count {
                        $0.value[key] != nil && $0.key * Self.minute >= fromMs && ($0.key + 1) * Self.minute <= toMs
                    }
                }
                let (ahead, behind) = (
                    count(atMs - before * Self.minute, atMs), count(atMs, atMs + after * Self.minute)
                )
                if ahead + behind > 0 {
                    rows.append(Expected(timeMs: atMs, key: key, before: ahead, after: behind))
                }
            }
        }
        return rows
    }

    @Test func hostileStateIsRefused() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed: seed)
        let bench = try DetectorBench([], impacts: [Self.impact()])
        bench.anomalies.impactEvents[0].watermarkMs = 20 * Self.minute
        for number in 0..<30 { bench.window(Int64(number), [(["a"], 1), (["b"], 2)]) }
        for _ in 0..<200 {
            var bytes = bench.state
            if random.below(3) == 0 {
                bytes.removeLast(1 + random.below(bytes.count - 1))
            } else {
                for _ in 0...random.below(4) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            }
            let fresh = try #require(QueryAnomalies(plan: bench.plan, job: "job"))
            var reader = ByteReader(bytes)
            do throws(DecodingFailure) {
                try fresh.decodeState(of: .query, from: &reader, nowMs: 0)
                fresh.impactEvents[0].watermarkMs = .max
                fresh.release(nowMs: nil) { _, _, _, _ in }
            } catch {
                #expect(!error.description.isEmpty, "seed \(seed)")
            }
        }
    }
}
