import Connectors
import StreamEngine
import TestSupport
import Testing

@Suite struct PrometheusTextTests {
    @Test(arguments: [
        (#"m 1 5"#, "m 1.0 5"),
        (#"m 1 -5"#, "m 1.0 -5"),
        (#"m 1 +5"#, "m 1.0 5"),
        (#"m 1 0005"#, "m 1.0 5"),
        (#"m 1"#, "m 1.0 7"),
        ("m\t1\t5", "m 1.0 5"),
        ("  m   1 \t 5  ", "m 1.0 5"),
        ("m 1 5\r", "m 1.0 5"),
        ("m 1 5 \r", "m 1.0 5"),
        (#"m{} 1 5"#, "m 1.0 5"),
        (#"m{ } 1 5"#, "m 1.0 5"),
        (#"m{a="b"}1 5"#, #"m{a="b"} 1.0 5"#),
        (#"m {a="b"} 1 5"#, #"m{a="b"} 1.0 5"#),
        (#"m { a = "b" , c = "d" , } 1 5"#, #"m{a="b",c="d"} 1.0 5"#),
        (#"m{a="b",} 1 5"#, #"m{a="b"} 1.0 5"#),
        (#"m{c="d",a="b"} 1 5"#, #"m{a="b",c="d"} 1.0 5"#),
        (#"m{a=""} 1 5"#, "m 1.0 5"),
        (#"m{a="",b="c"} 1 5"#, #"m{b="c"} 1.0 5"#),
        (#"m:n_2{a1_="b"} 1 5"#, #"m:n_2{a1_="b"} 1.0 5"#),
        (#":m 1 5"#, ":m 1.0 5"),
        (#"_m 1 5"#, "_m 1.0 5"),
        (#"m{a="x\\y\"z\nw"} 1 5"#, #"m{a="x\\y\"z\nw"} 1.0 5"#),
        (#"m{a="\t"} 1 5"#, #"m{a="\\t"} 1.0 5"#),
        (#"m{a="} # 1 2"} 1 5"#, #"m{a="} # 1 2"} 1.0 5"#),
        (#"m{a="日本語😀"} 1 5"#, #"m{a="日本語😀"} 1.0 5"#),
        // Prometheus 3's quoted names.
        (#"{"m"} 1 5"#, "m 1.0 5"),
        (#"{"my.metric",a="b"} 1 5"#, #"my.metric{a="b"} 1.0 5"#),
        (#"{a="b","my.metric"} 1 5"#, #"my.metric{a="b"} 1.0 5"#),
        (#"m{"a.b"="c"} 1 5"#, #"m{a.b="c"} 1.0 5"#),
        (#"{"m\"",} 1 5"#, #"m" 1.0 5"#),
        // Values.
        ("m NaN 5", "m nan 5"), ("m nan 5", "m nan 5"), ("m NAN 5", "m nan 5"),
        ("m Inf 5", "m inf 5"), ("m +Inf 5", "m inf 5"), ("m -Inf 5", "m -inf 5"), ("m +inf 5", "m inf 5"),
        ("m Infinity 5", "m inf 5"), ("m -INFINITY 5", "m -inf 5"),
        ("m 1e3 5", "m 1000.0 5"), ("m 1E+3 5", "m 1000.0 5"), ("m 1e-3 5", "m 0.001 5"), ("m .5 5", "m 0.5 5"),
        ("m 5. 5", "m 5.0 5"), ("m +1.5 5", "m 1.5 5"), ("m -0 5", "m -0.0 5"), ("m 1e-400 5", "m 0.0 5"),
        ("m 00001 5", "m 1.0 5"), ("m 1.7976931348623157e308 5", "m 1.7976931348623157e+308 5"),
        ("m 123456789012345678901234567890 5", "m 1.2345678901234568e+29 5"),
    ])
    func oneGoodLine(_ line: String, _ expected: String) throws {
        for text in [line, line + "\n", "\n" + line + "\n\n"] {
            let decoded = try decode(text, as: "prometheus")
            #expect(decoded.samples == [expected])
            #expect(decoded.bad == [])
        }
    }

    @Test(arguments: [
        ("m", BadRecordReason.malformed), ("m ", .malformed), (#"m{a="b"}"#, .malformed), ("m{}", .malformed),
        (#"m{a="b" 1 1"#, .malformed), (#"m{a="b";c="d"} 1 1"#, .malformed), ("m{", .malformed),
        (#"m{a="b","#, .malformed), (#"m{a="b""#, .malformed), ("m{a", .malformed),
        (#"m{a="b"} 1 1 extra"#, .malformed), ("m 1 1 # x", .malformed), (#"m 1 1 # {} 1"#, .malformed),
        ("m 1 1 1", .malformed),
        ("1m 1 1", .badName), (#"{a="b"} 1 1"#, .badName), ("{} 1 1", .badName), ("{ 1 1", .badLabel),
        ("m-x 1 1", .badName), ("¿", .badName), ("é 1", .badName), ("m.n 1 1", .badName), (#""m" 1 1"#, .badName),
        (#"{""} 1 1"#, .badName), (#"{__name__="m"} 1 1"#, .badName), ("= 1", .badName), ("+ 1", .badName),
        (#"m{1a="x"} 1 1"#, .badLabel), ("m{a=b} 1 1", .badLabel), (#"m{a="b} 1 1"#, .badLabel),
        ("m{a} 1 1", .badLabel),
        ("m{a=} 1 1", .badLabel), ("m{,} 1 1", .badLabel), (#"m{a-b="c"} 1 1"#, .badLabel),
        (#"m{a='b'} 1 1"#, .badLabel),
        (#"m{{a="b"} 1 1"#, .badLabel), (#"m{a="b",,c="d"} 1 1"#, .badLabel), (#"m{"n"} 1 1"#, .badLabel),
        (#"m{""="x"} 1 1"#, .badLabel), (#"m{a:b="x"} 1 1"#, .badLabel), (#"m{é="x"} 1 1"#, .badLabel),
        (#"m{a="b\"} 1 1"#, .badLabel),
        (#"m{a="b",a="c"} 1 1"#, .duplicateLabel), (#"m{a="",a="c"} 1 1"#, .duplicateLabel),
        (#"m{a="b","a"="b"} 1 1"#, .duplicateLabel), (#"m{__name__="m"} 1 1"#, .duplicateLabel),
        (#"{"m","n"} 1 1"#, .badLabel),
        ("m abc 1", .badValue), ("m 1_000 1", .badValue), ("m 1,5 1", .badValue), ("m - 1", .badValue),
        ("m + 1", .badValue), ("m 1e 1", .badValue), ("m 1e+ 1", .badValue), ("m 0x 1", .badValue),
        ("m 0x1 1", .badValue), ("m 0x1p4 1", .badValue), (#"m{a="b"}} 1 1"#, .badValue), ("m . 1", .badValue),
        ("m +-1 1", .badValue), ("m --1 1", .badValue), ("m é 1", .badValue), ("m 1.2.3 1", .badValue),
        ("m infin 1", .badValue), ("m +NaN 1", .badValue), ("m nano 1", .badValue), ("m e5 1", .badValue),
        ("m 1e400 1", .badValue), ("m -1e400 1", .badValue), ("m 1f 1", .badValue), (#"m "1" 1"#, .badValue),
        ("m 1 12x", .badTimestamp), ("m 1 1.5", .badTimestamp), ("m 1 1e3", .badTimestamp), ("m 1 --1", .badTimestamp),
        ("m 1 -", .badTimestamp), ("m 1 0x10", .badTimestamp), ("m 1 NaN", .badTimestamp), ("m 1 1_0", .badTimestamp),
        ("m 1 1\r\r", .badTimestamp), ("m 1 2026-01-01T00:00:00Z", .badTimestamp),
        ("m 1 99999999999999999999", .timestampOutOfRange), ("m 1 9223372036854775807", .timestampOutOfRange),
        ("m 1 -9223372036854775808", .timestampOutOfRange),
    ])
    func oneBadLine(_ line: String, _ reason: BadRecordReason) throws {
        let decoded = try decode("good 1 1\n\(line)\ngood 2 2\n", as: "prometheus")
        #expect(decoded.bad == ["2 \(reason.rawValue)"], "\(decoded)")
        #expect(decoded.samples == ["good 1.0 1", "good 2.0 2"])
        #expect(decoded.places == [1, 3])
        #expect(decoded.badRecords.map(\.raw) == [Array(line.utf8)])
        // Where its series is known too, so that nothing hangs on what was read before.
        let known = try decode("m 1 1\nm{a=\"b\"} 1 1\n\(line)", as: "prometheus")
        #expect(known.bad == ["3 \(reason.rawValue)"], "\(known)")
    }

    @Test func commentsAndBlankLinesAreNoSamples() throws {
        let text = "# HELP m x\n# TYPE m counter\n\n \t \n#\n#anything \u{7}\n  # EOF\nm 1 1\r\n\r\n# EOF\nm 2 2"
        let decoded = try decode(text, as: "prometheus")
        #expect(decoded.samples == ["m 1.0 1", "m 2.0 2"])
        #expect(decoded.bad == [])
        #expect(decoded.records == 1)
        #expect(decoded.places == [8, 11])
        #expect(try decode([0x23, 0xFF, 0x0A], as: "prometheus").bad == [])
    }

    @Test func aFileCountsItsLines() throws {
        var given = Given.file
        given.offset = 100
        let decoded = try decode("m 1 1\n\nbad\n# c\nm 2\nm 3 3", as: "prometheus", given)
        #expect(decoded.records == 6)
        #expect(decoded.samples == ["m 1.0 1", "m 3.0 3"])
        #expect(decoded.places == [101, 106])
        #expect(decoded.bad == ["103 malformed", "105 missingTimestamp"])
        #expect(decoded.badRecords.map(\.offset) == [102, 104])
        #expect(try decode("", as: "prometheus", given).records == 0)
        #expect(try decode("m 1 1\n", as: "prometheus", given).records == 1)
        #expect(try decode("\n", as: "prometheus", given).records == 1)
    }

    @Test func limits() throws {
        var given = Given.message
        given.limits.maxLabelsPerSeries = 2
        given.limits.maxLineBytes = 25
        given.limits.maxMessageBytes = 200
        let text = """
            m{a="1",b="2"} 1 1
            m{a="1",b="2",c=""} 1 1
            m{a="1",b="2",c="3"} 1 1
            m{a="1",b="2"} 1 12345678
            m{a="1",b="2"} 1 123456789
            # a comment may be longer than that
            """
        let decoded = try decode(text, as: "prometheus", given)
        #expect(
            decoded.samples == [
                #"m{a="1",b="2"} 1.0 1"#, #"m{a="1",b="2"} 1.0 1"#, #"m{a="1",b="2"} 1.0 12345678"#,
            ])
        #expect(decoded.bad == ["3 tooManyLabels", "5 lineTooLong"])
        let large = try decode(String(repeating: "m 1 1\n", count: 40), as: "prometheus", given)
        #expect(large.samples == [])
        #expect(large.bad == ["1 messageTooLarge"])
        given.isFile = true
        #expect(try decode(String(repeating: "m 1 1\n", count: 40), as: "prometheus", given).samples.count == 40)
    }

    @Test func times() throws {
        var given = Given.message
        given.latestTimestampMs = 1000
        given.limits.timestampRangeMs = -10...2000
        let decoded = try decode("m 1 1000\nm 1 1001\nm 1 -10\nm 1 -11\nm 1 2001", as: "prometheus", given)
        #expect(decoded.samples == ["m 1.0 1000", "m 1.0 -10"])
        #expect(decoded.bad == ["2 futureTimestamp", "4 timestampOutOfRange", "5 timestampOutOfRange"])
        #expect(decoded.badRecords[0].raw == Array("m 1 1001".utf8))
        #expect(decoded.badRecords[0].recordTimestampMs == 7)
        given.timestampMs = nil
        #expect(try decode("m 1", as: "prometheus", given).bad == ["1 missingTimestamp"])
        given.timestampMs = 1001
        #expect(try decode("m 1", as: "prometheus", given).bad == ["1 futureTimestamp"])
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82], [0x80],
            [0xF0, 0x9F, 0x98],
            [0xE0, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80],
        ] as [[UInt8]])
    func invalidUTF8(_ bytes: [UInt8]) throws {
        let lines: [[UInt8]] = [
            Array(#"m{a=""#.utf8) + bytes + Array(#""} 1 1"#.utf8), Array("m ".utf8) + bytes + Array(" 1".utf8),
            Array("m 1 1 ".utf8) + bytes, bytes, Array(#"{""#.utf8) + bytes + Array(#""} 1 1"#.utf8),
        ]
        for line in lines { #expect(try decode(line, as: "prometheus").bad == ["1 invalidUTF8"]) }
    }

    @Test func badLinesLeaveNoSeries() throws {
        let series = SeriesDictionary()
        let batch = SampleBatch()
        let decoder = try format("prometheus").makeDecoder(limits: DecodeLimits())
        let text = Array("a x 1\nb 1 x\nc 1 99999999999999999999\nd{a=\"1\",a=\"2\"} 1 1\ne 1 1 x".utf8)
        text.withUnsafeBufferPointer {
            decoder.decode(
                RawRecord(bytes: $0, offset: 0, timestampMs: 1, linesAreRecords: false), latestTimestampMs: .max,
                series: series, into: batch)
        }
        #expect(batch.bad.count == 5)
        #expect(series.seriesCount == 0)
    }

    @Test func seriesBeyondTheLimitAreMarked() throws {
        var given = Given.message
        given.maxSeries = 1
        #expect(
            try decode("a 1 1\nb 1 1\na 2 2", as: "prometheus", given).samples == [
                "a 1.0 1", "over limit 1.0 1", "a 2.0 2",
            ])
    }

    /// A name that was foreseen alone, then comes with labels after a blank, and the other way round.
    @Test func blanksBeforeLabelsDoNotMisleadTheForecast() throws {
        let text = "m 1 1\nn 1 1\nm 1 1\nn 1 1\nm {a=\"b\"} 2 2\nn 1 1\nm{a=\"b\"}3 3\nm\t4\t4\nm{a=\"b\"}\t3 3\n"
        let decoded = try decode(text, as: "prometheus")
        #expect(
            decoded.samples == [
                "m 1.0 1", "n 1.0 1", "m 1.0 1", "n 1.0 1", "m{a=\"b\"} 2.0 2", "n 1.0 1", "m{a=\"b\"} 3.0 3",
                "m 4.0 4",
                "m{a=\"b\"} 3.0 3",
            ])
    }

    /// Series whose spellings begin alike, in changing order, so that look-ups and forecasts are all tried and missed.
    @Test func likeSpellingsInAnyOrder() throws {
        let spellings = [
            "m", "m{}", #"m{a="}"}"#, #"m{a="} 1"}"#, #"m{a="{"}"#, #"m{a="x"}"#, #"m{a="x",b="}"}"#, #"m {a="x"}"#,
            "mm",
            #"{"m",a="}"}"#, #"m{a="\"}"}"#, "m\t{}",
        ]
        let series = [
            "m", "m", #"m{a="}"}"#, #"m{a="} 1"}"#, #"m{a="{"}"#, #"m{a="x"}"#, #"m{a="x",b="}"}"#, #"m{a="x"}"#, "mm",
            #"m{a="}"}"#, #"m{a="\"}"}"#, "m",
        ]
        var random = SeededRandom(seed: 3)
        var text = ""
        var expected: [String] = []
        for i in 0..<2000 {
            let which = random.below(spellings.count)
            text += "\(spellings[which]) \(i) \(i)\n"
            expected.append("\(series[which]) \(i).0 \(i)")
        }
        #expect(try decode(text, as: "prometheus").samples == expected)
        #expect(try decode(text, as: "prometheus").bad == [])
    }
}
