import Glibc
import Testing

@testable import EmbeddedBroker

@Suite struct DocumentationTests {
    /// The table of APIs in docs/broker.md is the registry's.
    @Test func apiTableIsTrue() throws {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let descriptor = open("/\(root)/docs/broker.md", O_RDONLY)
        try #require(descriptor >= 0)
        let file = LogFile(descriptor: descriptor, path: "docs/broker.md")
        let text = String(decoding: file.read(at: 0, count: try file.length()), as: UTF8.self)
        let rows = text.split(separator: "\n").filter { line in
            line.hasPrefix("| ") && line.dropFirst(2).first?.isNumber == true
        }
        let expected = ApiRegistry.all.map { $0.api }.sorted { $0.key < $1.key }.map { api in
            let flexible = api.flexibleSince == .max ? "never" : String(api.flexibleSince)
            return "| \(api.key) | \(api.name) | \(api.versions.lowerBound)–\(api.versions.upperBound) | \(flexible) |"
        }
        #expect(rows.map(String.init) == expected)
    }

    /// One file for each API key, named after both.
    @Test func everyApiHasItsFile() throws {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let names = try LogStorage.directory("/\(root)/Sources/EmbeddedBroker/Protocol").names()
        let numbered = names.filter { $0.first?.isNumber == true }
        let expected = ApiRegistry.all.map { $0.api }.map { ($0.key < 10 ? "0" : "") + "\($0.key)_\($0.name).swift" }
        #expect(numbered == expected.sorted())
    }
}
