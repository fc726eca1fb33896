import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// Hostile and random messages. Every failure names the seed it can be repeated with.
struct RemoteWriteFuzzTests {
    /// A request with every kind of noise an encoder may add, and the samples it stands for.
    private func randomRequest(_ random: inout SeededRandom) -> (bytes: [UInt8], samples: [DecodedSample]) {
        var request = ProtobufBytes()
        var expected: [DecodedSample] = []
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            noise(&request, from: 4, &random)
            var labels = [("__name__", ["up", "load", "ü.é"].randomElement(using: &random) ?? "")]
            for name in ["a", "b", "le"] where Bool.random(using: &random) {
                labels.append((name, ["", "1", "日本", "x\n\"\\"].randomElement(using: &random) ?? ""))
            }
            let name = SeriesLabels(
                name: ByteString(labels[0].1),
                labels: labels.dropFirst().map { Label(ByteString($0.0), ByteString($0.1)) }
            ).description
            labels.shuffle(using: &random)
            var series = ProtobufBytes()
            for (name, value) in labels {
                series.field(1, bytes: ProtobufBytes.label(Array(name.utf8), Array(value.utf8)))
                if Int.random(in: 0..<8, using: &random) == 0 { noise(&series, from: 3, &random) }
            }
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let value = Double(bitPattern: random.next())
                let time = Int64.random(in: -1_000_000...1_000_000, using: &random)
                series.field(2, bytes: ProtobufBytes.sample(time, value))
                expected.append(DecodedSample(name, time, value, place: expected.count + 1))
                if Int.random(in: 0..<8, using: &random) == 0 { noise(&series, from: 3, &random) }
            }
            request.field(1, bytes: series.bytes)
        }
        noise(&request, from: 4, &random)
        return (request.bytes, expected)
    }

    /// Fields to be read past.
    private func noise(_ message: inout ProtobufBytes, from lowest: UInt64, _ random: inout SeededRandom) {
        let number = UInt64.random(in: lowest...40, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: message.field(max(number, 5), varint: random.next())
        case 1: message.field(max(number, 5), double: 1)
        case 2: message.field(number, bytes: [1, 2, 3])
        default: break
        }
    }

    @Test(arguments: 0..<40) func whatIsEncodedIsDecoded(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        // One decoder for many messages: what it remembers never shows.
        let bench = RemoteWriteBench()
        for round in 0..<20 {
            let (request, expected) = randomRequest(&random)
            bench.batch.clear()
            bench.decode(request: request)
            #expect(bench.samples == expected, "seed \(seed) round \(round)")
            #expect(bench.batch.bad.isEmpty, "seed \(seed) round \(round)")
        }
    }

    /// A prefix is whole, or one bad record and no sample.
    @Test(arguments: 0..<10) func everyPrefix(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let (request, expected) = randomRequest(&random)
        for length in 0..<request.count {
            let bench = RemoteWriteBench()
            bench.decode(request: Array(request[..<length]))
            let isWhole = bench.batch.bad.isEmpty && Array(expected.prefix(bench.batch.count)) == bench.samples
            let isBad = bench.reasons == [.malformed] && bench.batch.count == 0
            #expect(isWhole || isBad, "seed \(seed), \(length) bytes")
        }
    }

    /// Flipped, cut and repeated bytes, before and after compression: nothing traps, and the ledger keeps its shape.
    @Test(arguments: 0..<40) func damage(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let bench = RemoteWriteBench()
        var bad = 0
        for round in 0..<100 {
            var bytes = randomRequest(&random).bytes
            let damagesBlock = Bool.random(using: &random)
            if damagesBlock { bytes = Snappy.compress(bytes) }
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...9, using: &random)))
                default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 5)], at: at)
                }
            }
            bench.batch.clear()
            bench.decode(message: damagesBlock ? bytes : Snappy.compress(bytes), latestTimestampMs: 500_000)
            bad += bench.batch.bad.count
            #expect(bench.batch.records == 1 && bench.batch.runs.count == 1, "seed \(seed) round \(round)")
            if bench.reasons.contains(.malformed) || bench.reasons.contains(.badCompression) {
                #expect(bench.batch.count == 0 && bench.batch.bad.count == 1, "seed \(seed) round \(round)")
            }
        }
        #expect(bad > 0, "seed \(seed): no damage was met")
    }

    @Test(arguments: 0..<20) func noiseFromBeginningToEnd(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let bench = RemoteWriteBench()
        for _ in 0..<200 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...40, using: &random)
            }
            bench.batch.clear()
            bench.decode(message: bytes)
            bench.decode(request: bytes)
            #expect(bench.batch.records == 2)
        }
    }
}
