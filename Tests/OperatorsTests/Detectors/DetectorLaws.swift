import Glibc
import Platform
import TestSupport
import Testing

@testable import Operators
@testable import StreamEngine

/// What holds for every detector of the registry.
@Suite struct DetectorLaws {
    static let names = Detectors.all.map(\.name)

    private func factory(_ name: String) throws -> any DetectorFactory {
        try #require(Detectors.all.first { $0.name == name })
    }

    @Test func `names are unique and those of the contract`() {
        #expect(
            Self.names == [
                "threshold", "absent", "forecast", "peers", "auto", "rate_of_change", "ewma", "robust", "seasonal",
                "cusum",
                "page_hinkley", "spot", "dspot", "flatline", "new_series",
            ])
        for factory in Detectors.all { #expect(!factory.summary.isEmpty) }
    }

    @Test(arguments: names) func `a cut anywhere changes nothing`(_ name: String) throws {
        let factory = try factory(name)
        let required = DetectorOptions.required[name] ?? []
        var cuts = 0
        for (place, series) in NastySeries.all.enumerated() {
            var whole = DetectorRun(factory, required, keys: 5)
            var cut = DetectorRun(factory, required, keys: 5)
            var random = SeededRandom(seed: UInt64(place))
            let at = Int.random(in: 0..<series.values.count, using: &random)
            for (index, value) in series.values.enumerated() {
                if index == at {
                    var fresh = DetectorRun(factory, required, keys: 5)
                    var reader = ByteReader(cut.encoded())
                    try fresh.detector.decode(from: &reader)
                    #expect(reader.isAtEnd, "\(name), \(series.name)")
                    #expect(fresh.encoded() == cut.encoded(), "\(name), \(series.name)")
                    fresh.window = cut.window
                    cut = fresh
                    cuts += 1
                }
                // The keys of one group, and one that differs.
                let values = (0..<5).map { key in value.map { key == 4 ? $0 * 2 + 1 : $0 + Double(key) } }
                let expected = whole.feed(values)
                let actual = cut.feed(values)
                for key in 0..<5 {
                    #expect(
                        expected[key].verdict.score == actual[key].verdict.score
                            && expected[key].verdict.isFlagged == actual[key].verdict.isFlagged
                            && expected[key].verdict.upper.bitPattern == actual[key].verdict.upper.bitPattern
                            && expected[key].reason == actual[key].reason,
                        "\(name), \(series.name), cut at \(at), window \(index)")
                }
            }
            #expect(whole.encoded() == cut.encoded(), "\(name), \(series.name)")
        }
        #expect(cuts == NastySeries.all.count)
    }

    @Test(arguments: names) func `what stands still or says nothing raises no flag`(_ name: String) throws {
        let factory = try factory(name)
        for series in NastySeries.all where ["constant", "all NaN", "nothing"].contains(series.name) {
            var run = DetectorRun(factory, DetectorOptions.required[name] ?? [])
            #expect(run.flags(series.values).isEmpty, "\(name), \(series.name)")
        }
        var one = DetectorRun(factory, DetectorOptions.required[name] ?? [])
        let flags = one.flags([0.5] + [Double?](repeating: nil, count: 100))
        #expect(name == "absent" ? flags == Array(3...100) : flags.isEmpty, "\(name)")
    }

    @Test(arguments: names) func `forgetting keys leaves the others as they were`(_ name: String) throws {
        let factory = try factory(name)
        let required = DetectorOptions.required[name] ?? []
        let series = NastySeries.noise(120, seed: 3)
        var all = DetectorRun(factory, required, keys: 3)
        var middle = DetectorRun(factory, required, keys: 1, labels: { _ in [Label("instance", "n1")] })
        for value in series {
            _ = all.feed([value + 5, value, nil])
            _ = middle.feed([value])
        }
        all.detector.forget([.max, 0, .max])
        #expect(all.detector.byteCount > 0)
        // `peers` and `new_series` look at keys together: only the number of keys can be compared.
        if name != "peers" { #expect(all.encoded() == middle.encoded(), "\(name)") }
    }

    @Test(arguments: names) func `broken state is refused, or harmless`(_ name: String) throws {
        let factory = try factory(name)
        let required = DetectorOptions.required[name] ?? []
        var run = DetectorRun(factory, required, keys: 2)
        for value in NastySeries.noise(60, seed: 5) { _ = run.feed([value, value * 3]) }
        let good = run.encoded()
        var random = SeededRandom(seed: 11)
        var refused = 0
        for _ in 0..<150 {
            var bytes = good
            if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 0...bytes.count, using: &random)) }
            for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                bytes[at] = UInt8.random(in: 0...255, using: &random)
            }
            var broken = DetectorRun(factory, required, keys: 2)
            var reader = ByteReader(bytes)
            do throws(DecodingFailure) {
                try broken.detector.decode(from: &reader)
            } catch {
                refused += 1
                continue
            }
            for value in [0.5, 1e300, .nan, -3, 0] { _ = broken.feed([value, nil]) }
        }
        #expect(refused > 0, "\(name)")
    }

    /// The registry is a list by hand: every file of the folder that declares a detector must be in it.
    @Test func `every detector of the folder is in the registry`() throws {
        let root = "\(#filePath)".split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
            .joined(separator: "/")
        let folder = "\(root)/Sources/Operators/Detectors"
        let directory = try #require(opendir(folder))
        defer { closedir(directory) }
        var declared = 0
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasSuffix(".swift"), let file = fopen("\(folder)/\(name)", "r") else { continue }
            defer { fclose(file) }
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            let count = fread(&bytes, 1, bytes.count, file)
            let text = String(decoding: bytes.prefix(count), as: UTF8.self)
            declared += text.split(separator: "\n").count { $0.contains(": DetectorFactory {") }
        }
        #expect(declared == Detectors.all.count)
    }

    @Test func `states are as small as promised`() {
        let setting = DetectorSetting(column: "busy", windowMs: 60_000, slideMs: 60_000)
        var sizes: [String: Int] = [:]
        for factory in Detectors.all {
            let options = DetectorOptions.checked(factory, DetectorOptions.required[factory.name] ?? [])
            sizes[factory.name] = factory.bytesPerKey(options, setting)
        }
        #expect(sizes["auto", default: .max] <= 2048)
        #expect(
            sizes == [
                "threshold": 1, "absent": 16, "forecast": 456, "peers": 44, "auto": 2000, "rate_of_change": 24,
                "ewma": 24, "robust": 792, "seasonal": 432, "cusum": 48, "page_hinkley": 48, "spot": 88, "dspot": 88,
                "flatline": 16, "new_series": 1,
            ])
    }
}
