import StreamEngine
import Testing

@testable import Connectors

/// Text exposition: what was read before, and which way a line was read, change nothing.
@Suite struct ExpositionAgreementTests {
    /// Limits that hostile lines reach.
    private static var limits: DecodeLimits {
        var limits = DecodeLimits()
        limits.maxLineBytes = 200
        limits.maxLabelsPerSeries = 3
        limits.timestampRangeMs = (Int64.min / 4)...(Int64.max / 4)
        return limits
    }

    private static let latestTimestampMs: Int64 = 1_767_225_602_000

    private static func decoder(_ name: String, _ limits: DecodeLimits) -> any RecordDecoder {
        name == "prometheus"
            ? PrometheusTextFormat().makeDecoder(limits: limits) : OpenMetricsTextFormat().makeDecoder(limits: limits)
    }

    /// Each line by itself, by a decoder that knows nothing; a blank in front keeps it off the fast path.
    private static func reference(_ record: HostileRecord, _ name: String) throws -> Outcome {
        var limits = limits
        limits.maxLineBytes += 1
        var all = Outcome()
        var lines = record.bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        var number = 0
        for line in lines {
            number += 1
            let one = HostileRecord(bytes: [0x20] + line, isFile: record.isFile, timestampMs: record.timestampMs)
            var found = try DecodingSession(decoder(name, limits)).decode(one, latestTimestampMs: latestTimestampMs)
            for place in found.samples.indices { found.samples[place].place = number }
            for place in found.bad.indices {
                found.bad[place].line = number
                found.bad[place].raw.removeFirst()
            }
            all.samples += found.samples
            all.bad += found.bad
            try checkPlainSeries(Array(line))
            if name == "openmetrics", !record.isFile, isEndMark(line) { break }
        }
        all.records = record.isFile ? number : 1
        return all
    }

    /// Whether a line ends an exposition.
    private static func isEndMark(_ line: some Collection<UInt8>) -> Bool {
        var line = Array(line)
        if line.last == 0x0D { line.removeLast() }
        while line.last == 0x20 || line.last == 0x09 { line.removeLast() }
        return line.drop { $0 == 0x20 || $0 == 0x09 } == Array("# EOF".utf8)[...]
    }

    /// What the short way takes for a series of the usual form, the strict one takes for the same.
    private static func checkPlainSeries(_ line: [UInt8]) throws {
        let plain = PlainLabels()
        try GuardedBytes.with(line) { bytes in
            guard let start = bytes.baseAddress else { return }
            let end = start + bytes.count
            guard let next = ExpositionSeries.parsePlain(start, end, maxLabels: 3, plain) else { return }
            let strict = try ExpositionSeries.parse(start, end, maxLabels: 3)
            #expect(strict.labels == plain.labels && strict.next == next, "\(line)")
        }
    }

    private static func series(_ text: inout HostileText) -> [UInt8] {
        func blank() -> [UInt8] { text.chance(12) ? Array(text.pick([" ", "\t", "  "]).utf8) : [] }
        func quoted(_ bytes: [UInt8]) -> [UInt8] { [0x22] + bytes + [0x22] }
        let name = text.metricName()
        let isQuoted = text.chance(10)
        guard !text.chance(6) || isQuoted else { return name }
        var out = isQuoted ? [] : name + blank()
        out.append(0x7B)
        var items: [[UInt8]] = isQuoted ? [quoted(name)] : []
        for _ in 0..<text.random.below(text.chance(10) ? 6 : 3) {
            let label = text.labelName()
            items.append(
                blank() + (text.chance(15) ? quoted(label) : label) + blank() + [0x3D] + blank()
                    + quoted(text.labelValue()) + blank())
        }
        items.shuffle(using: &text.random)
        out += items.joined(separator: [0x2C])
        if text.chance(10) { out.append(0x2C) }
        if !text.chance(30) { out.append(0x7D) }
        return out
    }

    private static func records(_ text: inout HostileText, _ name: String) -> [HostileRecord] {
        let scrape = (0...text.random.below(7)).map { _ in series(&text) }
        return (0...text.random.below(4)).map { _ in
            var bytes: [UInt8] = []
            var next = 0
            for _ in 0..<text.random.below(12) {
                if text.chance(6) { next = text.random.below(scrape.count) }
                var line = scrape[next % scrape.count]
                next += 1
                if text.chance(12) { line = [0x20] + line }
                line += Array(text.chance(12) ? text.pick(["", "\t", "  "]).utf8 : " ".utf8) + text.number()
                if text.chance(10) { line += [0x2E] + [UInt8](repeating: 0x30, count: text.random.below(200)) }
                if !text.chance(4) { line += [0x20] + text.timestamp(perSecond: name == "prometheus" ? 1000 : 1) }
                if text.chance(20) {
                    line += Array(text.pick([" # {} 1", " # {a=\"b\"} 1 2", " x", " # {a=\"\\"]).utf8)
                }
                if text.chance(25) { text.damage(&line) }
                bytes += line + text.lineEnd()
                if text.chance(20) { bytes += Array(text.pick(["# HELP m x\n", "#\n", "# EOF\n", "#{} 1\n"]).utf8) }
            }
            if text.chance(10) { text.damage(&bytes) }
            let isFile = text.chance(2)
            return HostileRecord(bytes: bytes, isFile: isFile, timestampMs: isFile ? nil : 7)
        }
    }

    @Test(arguments: ["prometheus", "openmetrics"]) func everyWayToReadALineAgrees(_ name: String) throws {
        var (samples, bad) = (0, 0)
        for seed in HostileText.seeds {
            var text = HostileText(seed: seed)
            let counts = try DecoderAgreement.check(
                Self.records(&text, name), seed: seed, latestTimestampMs: Self.latestTimestampMs,
                decoder: { Self.decoder(name, Self.limits) }, reference: { try Self.reference($0, name) })
            samples += counts.samples
            bad += counts.bad
        }
        // Both kinds came, and many of them.
        #expect(samples > 300 && bad > 300)
    }
}
