import Glibc
import StreamEngine
import Testing

@testable import Connectors

/// Messages a real Prometheus 2.42 sent, against what its own storage holds (scripts/verify/prometheus_remote_write.py).
struct RemoteWriteCaptureTests {
    private struct Missing: Error {}

    private func lines() throws -> [Substring] {
        let folder = #filePath[..<(#filePath.lastIndex(of: "/") ?? #filePath.startIndex)]
        guard let file = fopen("\(folder)/Fixtures/remote-write-2.42.txt", "r") else { throw Missing() }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }

    @Test func everySampleSentIsDecoded() throws {
        let bench = RemoteWriteBench()
        var expected: Set<String> = []
        for line in try lines() {
            let words = line.split(separator: " ", maxSplits: 3)
            if words[0] == "message" {
                let digits = Array(words[1].utf8)
                let message = stride(from: 0, to: digits.count, by: 2).compactMap {
                    UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16)
                }
                bench.decode(message: message)
            } else {
                let value = try #require(Double(words[2]))
                expected.insert("\(words[3]) \(words[1]) \(value.isNaN ? "NaN" : "\(value)")")
            }
        }
        #expect(bench.batch.bad.isEmpty)
        var decoded: [String] = []
        var vanished: Set<String> = []
        for (index, sample) in bench.samples.enumerated() {
            // What Prometheus says of the scrape itself goes on after the target's death.
            if sample.series.hasPrefix("up{") || sample.series.hasPrefix("scrape_") { continue }
            if bench.batch.values[index].bitPattern == SampleBatch.staleBits {
                vanished.insert(sample.series)
            } else {
                let value = bench.batch.values[index]
                decoded.append("\(sample.series) \(sample.timestampMs) \(value.isNaN ? "NaN" : "\(value)")")
            }
        }
        #expect(decoded.count > 50 && decoded.count == Set(decoded).count)
        #expect(Set(decoded) == expected)
        // Every series ended: one when its target dropped it, the others when the target died.
        #expect(bench.batch.staleCount == 12 && vanished.count == 12, "\(vanished)")
    }
}
