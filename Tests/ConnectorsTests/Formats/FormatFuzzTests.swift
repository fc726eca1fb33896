import Connectors
import StreamEngine
import TestSupport
import Testing

/// Whatever bytes come: no crash, an end, and a ledger that balances. Run with every format in the registry.
@Suite struct FormatFuzzTests {
    static let texts = ["prometheus", "openmetrics"]

    /// Good input of each format, to be cut and mutated.
    static func seeds(_ name: String) throws -> [[UInt8]] {
        switch name {
        case "prometheus":
            return [
                Array(try RecordedTests.fixture("exporters.prom")),
                Array(
                    "m{a=\"b\",c=\"d\\n\"} 1.5e3 1767225600000\nm{a=\"b\",c=\"d\\n\"} NaN 5\r\n{\"q.r\",\"s\"=\"é\"} +Inf\n"
                        .utf8),
            ]
        case "openmetrics":
            return [
                Array(
                    #"""
                    # TYPE h histogram
                    h_bucket{le="1",a="b"} 5 1767225600.5 # {trace_id="a,b}\" # x"} 0.67
                    h_bucket{le="1",a="b"} 6 1767225601 # {} 0.5 1767225600.123
                    h_count 7 -1.0005
                    # EOF
                    h_count 8
                    """#.utf8)
            ]
        case "sample-json":
            return [
                Array(
                    #"{"timestamp":"2026-01-01T00:00:00Z","value":"9876543210","name":"up","labels":{"__name__":"up","job":"api"}}"#
                        .utf8),
                Array(
                    "[{\"name\":\"m\",\"labels\":{\"a\":\"\\ud83d\\ude00\"},\"value\":-1.5e-3,\"timestamp\":1767225600.25},\n {\"value\":1,\"labels\":{\"__name__\":\"m\"},\"x\":[{}]}]"
                        .utf8),
            ]
        default:
            return [
                Array(EventJSONTests.podEvent.utf8),
                Array(#"[{"timestamp":5,"type":"T","reason":"r","labels":{"type":"x"}},{"type":"U"}]"#.utf8),
            ]
        }
    }

    /// Lines that must give exactly one sample or one bad record each.
    static func expectedOutcomes(_ name: String, _ bytes: [UInt8], isFile: Bool) -> Int {
        var count = 0
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: true) {
            var line = line
            if line.last == 0x0D { line.removeLast() }
            while let first = line.first, first == 0x20 || first == 0x09 { line.removeFirst() }
            while let last = line.last, last == 0x20 || last == 0x09 { line.removeLast() }
            guard let first = line.first else { continue }
            if first == UInt8(ascii: "#") {
                if name == "openmetrics", !isFile, Array(line) == Array("# EOF".utf8) { break }
                continue
            }
            count += 1
        }
        return count
    }

    static func check(_ name: String, _ bytes: [UInt8], isFile: Bool) throws {
        var given = isFile ? Given.file : .message
        given.limits.maxLineBytes = 300
        let decoded = try decode(bytes, as: name, given)
        let outcomes = decoded.samples.count + decoded.bad.count
        if texts.contains(name) {
            #expect(outcomes == expectedOutcomes(name, bytes, isFile: isFile), "\(bytes)")
        } else if isFile {
            let lines = bytes.split(separator: 0x0A).filter { line in
                !line.allSatisfy { [0x20, 0x09, 0x0D].contains($0) }
            }
            // An empty array is a line without an outcome.
            #expect(
                outcomes >= lines.filter { $0.first != UInt8(ascii: "[") }.count
                    - lines.filter { $0.contains(UInt8(ascii: "[")) }.count)
        }
        let lines = bytes.filter { $0 == 0x0A }.count + (bytes.last.map { $0 == 0x0A ? 0 : 1 } ?? 0)
        #expect(decoded.records == (isFile ? lines : 1))
        #expect(decoded.places == decoded.places.sorted())
        if name == "event-json" { #expect(decoded.messages.count == decoded.samples.count) }
    }

    @Test(arguments: InputFormats.all.map(\.name).filter { $0 != "remote-write" })
    func everyPrefix(_ name: String) throws {
        for seed in try Self.seeds(name) {
            for length in 0...seed.count where length < 700 || length % 7 == 0 {
                try Self.check(name, Array(seed[..<length]), isFile: length % 2 == 0)
            }
        }
    }

    @Test(arguments: InputFormats.all.map(\.name).filter { $0 != "remote-write" })
    func mutatedBytes(_ name: String) throws {
        let seed: UInt64 = 4242
        var random = SeededRandom(seed: seed)
        let seeds = try Self.seeds(name)
        let alphabet = Array("{}[]\",:=\\ \t\n\r#0123456789.eE+-_au\u{0}".utf8) + [0x80, 0xC3, 0xFF]
        for round in 0..<1500 {
            var bytes = seeds[random.below(seeds.count)]
            if bytes.count > 400 {
                let start = random.below(bytes.count - 300)
                bytes = Array(bytes[start..<(start + 300)])
            }
            for _ in 0...random.below(6) {
                let at = random.below(bytes.count)
                switch random.below(4) {
                case 0: bytes[at] = alphabet[random.below(alphabet.count)]
                case 1: bytes.insert(alphabet[random.below(alphabet.count)], at: at)
                case 2: if bytes.count > 1 { bytes.remove(at: at) }
                default: bytes[at] = UInt8(truncatingIfNeeded: random.next())
                }
            }
            try Self.check(name, bytes, isFile: round % 2 == 0)
        }
    }

    @Test(arguments: InputFormats.all.map(\.name).filter { $0 != "remote-write" })
    func randomBytes(_ name: String) throws {
        var random = SeededRandom(seed: 17)
        let alphabet = Array("{}[]\",:=\\ \n#1.e-mn".utf8)
        for round in 0..<1500 {
            let bytes = (0..<random.below(60)).map { _ in
                round % 3 == 0 ? UInt8(truncatingIfNeeded: random.next()) : alphabet[random.below(alphabet.count)]
            }
            try Self.check(name, bytes, isFile: round % 2 == 0)
        }
    }
}
