import Connectors
import StreamEngine
import Testing

@Suite struct InputFormatsTests {
    @Test func namesAreUniqueAndFound() throws {
        let names = InputFormats.all.map(\.name)
        #expect(Set(names).count == names.count)
        for name in ["prometheus", "openmetrics", "sample-json", "event-json"] {
            #expect(InputFormats.named(name)?.name == name)
        }
        #expect(InputFormats.named("csv") == nil)
        #expect(InputFormats.all.allSatisfy { !$0.summary.isEmpty })
    }
}
