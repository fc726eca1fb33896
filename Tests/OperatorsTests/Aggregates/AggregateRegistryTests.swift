import Glibc
import Testing

@testable import Operators
@testable import StreamEngine

@Suite struct AggregateRegistryTests {
    @Test func `names are unique and those of the contract`() {
        let names = Aggregates.all.map { $0.name }
        #expect(
            names == [
                "count", "sum", "avg", "min", "max", "stddev", "stddev_pop", "variance", "first", "last", "quantile",
                "approx_distinct",
            ])
        #expect(Aggregates.named("avg") != nil)
        #expect(Aggregates.named("mean") == nil)
        for type in Aggregates.all { #expect(!type.summary.isEmpty) }
    }

    /// The registry is a list by hand: every file of the folder that declares an aggregate must be in it.
    @Test func `every aggregate of the folder is in the registry`() throws {
        let here = "\(#filePath)"
        let root = here.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
        let folder = "\(root)/Sources/Operators/Aggregates"
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
            guard text.contains(": Aggregate {") else { continue }
            declared += 1
            let typeName = String(name.dropLast(".swift".count))
            #expect(Aggregates.all.contains { "\($0)" == typeName }, "\(name) is not in Aggregates.all")
        }
        #expect(declared == Aggregates.all.count)
    }

    @Test func `six aggregates share 64 bytes a group and pane`() {
        var kinds: [String: Int] = [:]
        for name in ["count", "sum", "avg", "min", "max", "stddev"] {
            let type = Aggregates.named(name)
            for state in type?.init(parameter: nil, type: .number).states ?? [] {
                kinds[state.identity] = state.bytesPerGroup
            }
        }
        #expect(kinds == ["count": 8, "sum": 16, "min": 8, "max": 8, "moments": 24])
    }
}
