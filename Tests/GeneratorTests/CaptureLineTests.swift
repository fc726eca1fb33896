import StreamEngine
import TestSupport
import Testing

@testable import Generator

/// Taking captured lines apart and giving them other times.
@Suite struct CaptureLineTests {
    private static func restamped(_ line: String, _ format: WorkloadFormat, by shiftMs: Int64) -> String {
        Array(line.utf8).withUnsafeBufferPointer { bytes in
            let parts = CaptureLine(bytes, format)
            var out: [UInt8] = []
            parts.append(bytes, at: (parts.timestampMs ?? 0) + shiftMs, format, to: &out)
            return String(decoding: out, as: UTF8.self)
        }
    }

    @Test(arguments: [
        ("up 1 1000", "up 1 2500"), ("up{a=\"x y}\"} 1 1000", "up{a=\"x y}\"} 1 2500"),
        ("up{a=\"q\\\" \"}\t1\t1000", "up{a=\"q\\\" \"}\t1\t2500"), ("up 1", "up 1"),
        ("# TYPE up gauge", "# TYPE up gauge"),
        ("up 1 -1000", "up 1 500"), ("", ""), ("up{", "up{"), ("# up 1 1000", "# up 1 1000"),
    ])
    func prometheus(_ line: String, _ expected: String) {
        #expect(Self.restamped(line, .prometheus, by: 1500) == expected)
    }

    @Test(arguments: [
        ("up 1 1.5", "up 1 3"), ("up 1 1000 # {id=\"a\"} 1 2", "up 1 1001.5 # {id=\"a\"} 1 2"), ("# EOF", "# EOF"),
        ("up 1 -0.5", "up 1 1"),
    ])
    func openMetrics(_ line: String, _ expected: String) {
        #expect(Self.restamped(line, .openmetrics, by: 1500) == expected)
    }

    @Test func sampleJSON() {
        #expect(
            Self.restamped(
                #"{"timestamp":"2026-01-01T00:00:00Z","value":"1","name":"up","labels":{}}"#, .sampleJSON, by: 1500)
                == #"{"timestamp":"2026-01-01T00:00:01.500Z","value":"1","name":"up","labels":{}}"#)
        #expect(Self.restamped("nonsense", .sampleJSON, by: 1) == "nonsense")
    }

    @Test func seriesOfAnInstanceBelongTogether() {
        func hash(_ line: String) -> UInt64 {
            Array(line.utf8).withUnsafeBufferPointer { CaptureLine($0, .prometheus).keyHash(in: $0) }
        }
        #expect(hash("a{instance=\"x\",b=\"1\"} 1 2") == hash("c{instance=\"x\"} 5 6"))
        #expect(hash("a{instance=\"x\"} 1 2") != hash("a{instance=\"y\"} 1 2"))
        #expect(hash("a{b=\"1\"} 1 2") == hash("a{b=\"1\"} 7 8"))
    }

    /// Bytes at random: nothing is read outside, nothing traps.
    @Test func nothingBreaksIt() {
        var random = SeededRandom(seed: 42)
        for _ in 0..<2000 {
            let alphabet = Array("up{}\"\\ \t#=,.-0123456789instance timestamp:".utf8)
            let line = (0..<Int(random.next() % 60)).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
            for format in WorkloadFormat.allCases {
                line.withUnsafeBufferPointer { bytes in
                    let parts = CaptureLine(bytes, format)
                    var out: [UInt8] = []
                    parts.append(bytes, at: 5, format, to: &out)
                    _ = parts.keyHash(in: bytes)
                }
            }
        }
    }
}
