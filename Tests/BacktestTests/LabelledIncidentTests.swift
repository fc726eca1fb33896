import StreamEngine
import Testing

@testable import Backtest

@Suite struct LabelledIncidentTests {
    static func parse(_ text: String) throws -> [LabelledIncident] {
        try LabelledIncident.parse(Array(text.utf8), file: "labels.csv")
    }

    @Test func readsRFC4180() throws {
        let incidents = try Self.parse(
            "\u{FEFF}start,end,kind,selector\r\n2026-01-01T00:01:00Z,2026-01-01T00:02:00Z,slow,\"{a=\"\"x,y\"\",b=~\"\"z.*\"\"}\"\r\n"
                + "2026-01-01T01:00:00+01:00, 2026-01-01T00:00:30Z ,memory,\n\n")
        #expect(incidents.map(\.kind) == ["memory", "slow"])
        #expect(incidents[0].startMs == 1_767_225_600_000 && incidents[0].selector == nil)
        #expect(incidents[1].selector?.description == #"{a="x,y",b=~"z.*"}"#)
        #expect(try Self.parse("kind,end,start\nk,2026-01-01T00:01:00Z,2026-01-01T00:00:00Z").count == 1)
        #expect(try Self.parse("start,end,kind,selector\n").isEmpty)
    }

    @Test(arguments: [
        ("", "labels.csv is empty"),
        ("from,to\n", "labels.csv:1: the header is from,to; expected start,end,kind,selector"),
        ("start,end,kind\n1,2,k\n", "labels.csv:2: `1` is no RFC 3339 time"),
        ("start,end,kind\n2026-01-01T00:01:00Z,2026-01-01T00:01:00Z,k\n", "labels.csv:2: it ends"),
        (
            "start,end,kind,selector\n2026-01-01T00:01:00Z,2026-01-01T00:02:00Z,k,{a=b}\n",
            "labels.csv:2: selector `{a=b}`"
        ),
        (
            "start,end,kind,selector\n2026-01-01T00:01:00Z,2026-01-01T00:02:00Z,k,{a=\"b\",c=\"d\"}\n",
            "labels.csv:2: 5 fields"
        ),
        ("start,end,kind\n\"2026", "labels.csv:2: a quote is never closed"),
    ])
    func badFilesSayWhere(_ text: String, _ words: String) {
        #expect {
            _ = try Self.parse(text)
        } throws: { error in
            "\(error)".contains(words)
        }
    }
}
