import JobFile
import StreamEngine
import TestSupport
import Testing

/// Nothing in a job file makes the reader crash or hang, and nothing wrong passes without a word.
@Suite struct FuzzTests {
    private static let pieces = [
        "{", "}", "[", "]", ":", ": ", ", ", "- ", "\n", "  ", "\t", "\"", "'", "|", ">", "&a ", "*a", "<<: *a", "!x ",
        "!!str ", "#", "${X}", "${", "$${", "---\n", "...\n", "%YAML", "@", "`", "\\", "\u{0}", "é", "\u{85}",
        "\u{2028}",
        "🙂", "null", "~", "on", "0", "-1", "9223372036854775808", "1e999", "NaN", "99999999999w", "GiB", "(", ")",
        "where",
    ]

    @Test func mutatedJobsNeverCrash() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        var seeds: [[UInt8]] = []
        for folder in ["good", "bad"] {
            for name in Jobs.names(in: folder, ending: ".yaml") {
                seeds.append(Array(try #require(Jobs.read("\(Jobs.fixtures)/\(folder)/\(name).yaml")).utf8))
            }
        }
        let loader = Jobs.loader(["X": "y: [1"])
        var refused = 0
        for _ in 0..<600 {
            var bytes = seeds[random.below(seeds.count)]
            for _ in 0...random.below(4) {
                let at = random.below(bytes.count + 1)
                switch random.below(4) {
                case 0: bytes.insert(contentsOf: Self.pieces[random.below(Self.pieces.count)].utf8, at: at)
                case 1: bytes.removeSubrange(at..<min(at + random.below(20), bytes.count))
                case 2: if at < bytes.count { bytes[at] = UInt8(random.below(256)) }
                default:
                    let other = seeds[random.below(seeds.count)]
                    let from = random.below(other.count)
                    bytes.insert(contentsOf: other[from..<min(from + 40, other.count)], at: at)
                }
            }
            guard case .success(let source) = SourceText.check(bytes, file: "fuzz.yaml") else {
                refused += 1
                continue
            }
            let job = loader.load(source)
            if job.definition == nil {
                refused += 1
                #expect(job.errorCount > 0, "seed \(seed): refused without a word")
            }
            _ = Jobs.rendered(job)
        }
        print("FuzzTests: seed \(seed), \(refused) of 600 refused")
        #expect(refused > 100, "seed \(seed): the mutations must bite")
    }

    @Test func randomOverridesNeverCrash() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let paths = [
            "queries.q.window", "queries.0.sinks.0", "sources.metrics.kafka", "kafka.options.a.b", "x", "queries",
        ]
        for _ in 0..<300 {
            var value = ""
            for _ in 0...random.below(6) { value += Self.pieces[random.below(Self.pieces.count)] }
            let job = Jobs.check(Jobs.small, overrides: ["\(paths[random.below(paths.count)])=\(value)"])
            if job.definition == nil { #expect(job.errorCount > 0, "seed \(seed)") }
            _ = Jobs.rendered(job)
        }
    }
}
