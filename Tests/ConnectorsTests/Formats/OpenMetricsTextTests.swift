import Connectors
import StreamEngine
import Testing

@Suite struct OpenMetricsTextTests {
    @Test(arguments: [
        ("m 1 5", "m 1.0 5000"), ("m 1 5.5", "m 1.0 5500"), ("m 1 1.001", "m 1.0 1001"), ("m 1 1.0019", "m 1.0 1001"),
        ("m 1 1.0005", "m 1.0 1000"), ("m 1 -1.0005", "m 1.0 -1001"), ("m 1 -1", "m 1.0 -1000"),
        ("m 1 +1", "m 1.0 1000"),
        ("m 1 -0.0001", "m 1.0 -1"), ("m 1 .5", "m 1.0 500"), ("m 1 5.", "m 1.0 5000"),
        ("m 1 1.7672256e9", "m 1.0 1767225600000"),
        ("m 1 1e-3", "m 1.0 1"), ("m 1 12345e-1", "m 1.0 1234500"), ("m 1 1767225600.123456789", "m 1.0 1767225600123"),
        ("m 1 0000000000000000000000001.001", "m 1.0 1001"), ("m 1 0e99999", "m 1.0 0"),
        ("m 1 1.0009999999999999999999999999999", "m 1.0 1000"),
        ("m 1", "m 1.0 7"), (#"m 1 # {} 0.5"#, "m 1.0 7"), (#"m 1 # {a="b"} 0.5"#, "m 1.0 7"),
        (#"m{le="1"} 5 1.5 # {trace_id="a,b}\" # x"} 0.67"#, #"m{le="1"} 5.0 1500"#),
        (#"m 5 1.5 # {} 0.5 1767225600.123"#, "m 5.0 1500"), (#"m 5 1.5 # {a="b",c="é"} 1e3 5"#, "m 5.0 1500"),
        ("m 1 5\r", "m 1.0 5000"), ("\tm 1 5 ", "m 1.0 5000"), ("m\t1\t5.5", "m 1.0 5500"),
    ])
    func oneGoodLine(_ line: String, _ expected: String) throws {
        let decoded = try decode(line + "\n" + line + "\n# EOF\n", as: "openmetrics")
        #expect(decoded.samples == [expected, expected])
        #expect(decoded.bad == [])
    }

    @Test(arguments: [
        ("m 1 1e", BadRecordReason.badTimestamp), ("m 1 x", .badTimestamp), ("m 1 NaN", .badTimestamp),
        ("m 1 +Inf", .badTimestamp), ("m 1 1.2.3", .badTimestamp), ("m 1 .", .badTimestamp), ("m 1 1_0", .badTimestamp),
        ("m 1 0x10", .badTimestamp), ("m 1 1#", .badTimestamp),
        ("m 1 1e30", .timestampOutOfRange), ("m 1 -1e99999999999", .timestampOutOfRange),
        ("m 1 9223372036854775.808", .timestampOutOfRange), ("m 1 123456789012345678901", .timestampOutOfRange),
        ("m 1 1 # comment", .malformed), ("m 1 1 #", .malformed), ("m 1 # {", .malformed), ("m 1 # {}", .malformed),
        (#"m 1 1 # {a="b} 1"#, .malformed), (#"m 1 1 # {a=b} 1"#, .malformed), (#"m 1 1 # {} x"#, .malformed),
        (#"m 1 1 # {} 1 x"#, .malformed), (#"m 1 1 # {} 1 2 3"#, .malformed), ("m 1 1 2", .malformed),
        ("m # {} 1", .badValue),
        ("m 1_0", .badValue), ("m", .malformed), (#"{a="b"} 1"#, .badName),
    ])
    func oneBadLine(_ line: String, _ reason: BadRecordReason) throws {
        let decoded = try decode("m 1 1\n\(line)\nm 2 2\n# EOF\n", as: "openmetrics")
        #expect(decoded.bad == ["2 \(reason.rawValue)"], "\(decoded)")
        #expect(decoded.samples == ["m 1.0 1000", "m 2.0 2000"])
    }

    @Test func nothingIsReadAfterTheEndOfAMessage() throws {
        let text = "m 1 1\n# EOF\nm 2 2\nbad\n"
        #expect(try decode(text, as: "openmetrics").samples == ["m 1.0 1000"])
        #expect(try decode(text, as: "openmetrics").bad == [])
        #expect(try decode("# EOF \r\nbad", as: "openmetrics").bad == [])
        #expect(try decode("# EOFX\nm 1", as: "openmetrics").samples == ["m 1.0 7"])
        #expect(try decode("#EOF\nm 1", as: "openmetrics").samples == ["m 1.0 7"])
        let file = try decode(text, as: "openmetrics", .file)
        #expect(file.samples == ["m 1.0 1000", "m 2.0 2000"])
        #expect(file.bad == ["4 malformed"])
        #expect(file.records == 4)
    }

    @Test func invalidUTF8InAnExemplar() throws {
        let line = Array(#"m 1 1 # {a=""#.utf8) + [0xC3] + Array(#""} 1"#.utf8)
        #expect(try decode(line, as: "openmetrics").bad == ["1 invalidUTF8"])
        #expect(try decode(Array("m 1 1\n".utf8) + line, as: "openmetrics").bad == ["2 invalidUTF8"])
    }
}
