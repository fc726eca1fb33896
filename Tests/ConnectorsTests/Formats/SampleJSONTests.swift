import Connectors
import StreamEngine
import TestSupport
import Testing

@Suite struct SampleJSONTests {
    static let labels = #""labels":{"__name__":"m","a":"b"}"#

    @Test(arguments: [
        (
            #"{"timestamp":"2026-01-01T00:00:00Z","value":"9876543210","name":"up","labels":{"__name__":"up","job":"api"}}"#,
            #"up{job="api"} 9876543210.0 1767225600000"#
        ),
        (
            #"{"labels":{"__name__":"up","job":"api"},"name":"up","timestamp":"2026-01-01T00:00:00.25Z","value":"1"}"#,
            #"up{job="api"} 1.0 1767225600250"#
        ),
        (
            #"{"name": "m", "labels": {"__name__": "m", "a": "b"}, "value": 1, "timestamp": 1767225600000}"#,
            #"m{a="b"} 1.0 1767225600000"#
        ),
        (#"{"name":"m","value":1,"timestamp":5}"#, "m 1.0 5000"),
        (#"{"name":"m","labels":null,"value":1,"timestamp":5}"#, "m 1.0 5000"),
        (#"{"name":null,"labels":{"__name__":"m"},"value":1,"timestamp":5}"#, "m 1.0 5000"),
        (#"{"name":"","labels":{"__name__":"m"},"value":1,"timestamp":5}"#, "m 1.0 5000"),
        (#"{"name":"m","labels":{"__name__":""},"value":1,"timestamp":5}"#, "m 1.0 5000"),
        (#"{"labels":{"__name__":"m","a":"b"},"value":1,"timestamp":5}"#, #"m{a="b"} 1.0 5000"#),
        (#"{"name":"m","labels":{"a":"b"},"value":1,"timestamp":5}"#, #"m{a="b"} 1.0 5000"#),
        (#"{"name":"m","value":1,"labels":{"a":"b"},"timestamp":5}"#, #"m{a="b"} 1.0 5000"#),
        (#"{"labels":{"a":"b"},"value":1,"name":"m","timestamp":5}"#, #"m{a="b"} 1.0 5000"#),
        (#"{"name":"m","labels":{"z":"1","a":""},"value":1,"timestamp":5}"#, #"m{z="1"} 1.0 5000"#),
        (#"{"name":"m","labels":{},"value":1}"#, "m 1.0 7"),
        (#"{"name":"m","labels":{},"value":1,"timestamp":null}"#, "m 1.0 7"),
        // Unknown keys, keys given twice, escapes in keys and values.
        (#"{"x":[1,{"y":[null,true,false,-1.5e3]}],"name":"m","value":1,"timestamp":5,"z":{}}"#, "m 1.0 5000"),
        (#"{"name":"n","value":2,"timestamp":6,"name":"m","value":1,"timestamp":5}"#, "m 1.0 5000"),
        (#"{"labels":{"a":"x"},"name":"m","labels":{"a":"b"},"value":1,"timestamp":5}"#, #"m{a="b"} 1.0 5000"#),
        (#"{"na\u006de":"m","value":"\u0031","timestamp":5}"#, "m 1.0 5000"),
        (
            #"{"name":"m","labels":{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"},"value":1,"timestamp":5}"#,
            "m{a=\"\\\"\\\\/\u{8}\u{C}\\n\r\té😀\"} 1.0 5000"
        ),
        (#"{"name":"m","labels":{"a":"}{\"],["},"value":1,"timestamp":5}"#, #"m{a="}{\"],["} 1.0 5000"#),
        (#"{"name":"my.metric é","labels":{"a b":"c"},"value":1,"timestamp":5}"#, #"my.metric é{a b="c"} 1.0 5000"#),
        (#"{"name":"m","value":1,"timestamp":"2026-01-01T00:00:00\u005A"}"#, "m 1.0 1767225600000"),
        (" { \"name\" :\t\"m\" , \"value\" : 1 , \"timestamp\" : 5 } \r", "m 1.0 5000"),
        // Values.
        (#"{"name":"m","value":"NaN","timestamp":5}"#, "m nan 5000"),
        (#"{"name":"m","value":"+Inf","timestamp":5}"#, "m inf 5000"),
        (#"{"name":"m","value":"-Inf","timestamp":5}"#, "m -inf 5000"),
        (#"{"name":"m","value":"1e3","timestamp":5}"#, "m 1000.0 5000"),
        (#"{"name":"m","value":-1.25E-2,"timestamp":5}"#, "m -0.0125 5000"),
        (#"{"name":"m","value":-0,"timestamp":5}"#, "m -0.0 5000"),
        (#"{"name":"m","value":0.5,"timestamp":5}"#, "m 0.5 5000"),
        (#"{"name":"m","value":"+.5","timestamp":5}"#, "m 0.5 5000"),
        (#"{"name":"m","value":1e-400,"timestamp":5}"#, "m 0.0 5000"),
        // Times.
        (#"{"name":"m","value":1,"timestamp":99999999999}"#, "m 1.0 99999999999000"),
        (#"{"name":"m","value":1,"timestamp":100000000000}"#, "m 1.0 100000000000"),
        (#"{"name":"m","value":1,"timestamp":-99999999999}"#, "m 1.0 -99999999999000"),
        (#"{"name":"m","value":1,"timestamp":-100000000000}"#, "m 1.0 -100000000000"),
        (#"{"name":"m","value":1,"timestamp":99999999999.9999}"#, "m 1.0 99999999999999"),
        (#"{"name":"m","value":1,"timestamp":1.0005}"#, "m 1.0 1000"),
        (#"{"name":"m","value":1,"timestamp":-1.0005}"#, "m 1.0 -1001"),
        (#"{"name":"m","value":1,"timestamp":1767225600123.9}"#, "m 1.0 1767225600123"),
        (#"{"name":"m","value":1,"timestamp":-1767225600123.9}"#, "m 1.0 -1767225600124"),
        (#"{"name":"m","value":1,"timestamp":1.7672256e9}"#, "m 1.0 1767225600000"),
        (#"{"name":"m","value":1,"timestamp":1.7672256e12}"#, "m 1.0 1767225600000"),
        (#"{"name":"m","value":1,"timestamp":0}"#, "m 1.0 0"), (#"{"name":"m","value":1,"timestamp":-0.0}"#, "m 1.0 0"),
        (#"{"name":"m","value":1,"timestamp":"2026-01-01T02:00:01+02:00"}"#, "m 1.0 1767225601000"),
        (#"{"name":"m","value":1,"timestamp":"1969-12-31T23:59:59.9999Z"}"#, "m 1.0 -1"),
        (#"{"name":"m","value":1,"timestamp":"2026-01-01T23:59:60Z"}"#, "m 1.0 1767312000000"),
        (#"{"name":"m","value":1,"timestamp":"2026-01-01t00:00:00z"}"#, "m 1.0 1767225600000"),
        (#"{"name":"m","value":1,"timestamp":"2024-02-29T12:00:00Z"}"#, "m 1.0 1709208000000"),
    ])
    func oneGoodObject(_ object: String, _ expected: String) throws {
        for text in [object, object + "\n", "[\(object)]", "[ \(object) ]\n", "\n\n" + object] {
            let decoded = try decode(text, as: "sample-json")
            #expect(decoded.samples == [expected], "\(text): \(decoded)")
            #expect(decoded.bad == [])
        }
        let several = try decode("\(object)\n\(object)\n\n\(object)", as: "sample-json")
        #expect(several.samples == [expected, expected, expected])
        #expect(several.places == [1, 2, 4])
        let array = try decode("[\(object),\(object) , \(object)]", as: "sample-json")
        #expect(array.samples == [expected, expected, expected])
        #expect(array.places == [1, 2, 3])
        let pretty = try decode("[\n  \(object),\n  \(object)\n]\n", as: "sample-json")
        #expect(pretty.samples == [expected, expected])
        #expect(pretty.places == [1, 2])
    }

    /// Objects that are bad alone, on a line among good ones, and as an element.
    @Test(arguments: [
        ("{}", BadRecordReason.badName), ("null", .malformed), ("1", .malformed), (#""x""#, .malformed),
        ("true", .malformed),
        (#"{"name":"m","value":null,"timestamp":5}"#, .badValue),
        (#"{"name":"m","value":"x","timestamp":5}"#, .badValue),
        (#"{"name":"m","value":true,"timestamp":5}"#, .badValue),
        (#"{"name":"m","value":[1],"timestamp":5}"#, .badValue),
        (#"{"name":"m","value":{},"timestamp":5}"#, .badValue), (#"{"name":"m","timestamp":5}"#, .badValue),
        (#"{"name":"m","value":"","timestamp":5}"#, .badValue),
        (#"{"name":"m","value":" 1","timestamp":5}"#, .badValue),
        (#"{"name":"m","value":"1 ","timestamp":5}"#, .badValue),
        (#"{"name":"m","value":"0x1","timestamp":5}"#, .badValue),
        (#"{"name":"m","value":"1_0","timestamp":5}"#, .badValue),
        (#"{"name":"m","value":1e400,"timestamp":5}"#, .badValue),
        (#"{"name":"m","value":1,"timestamp":"yesterday"}"#, .badTimestamp),
        (#"{"name":"m","value":1,"timestamp":"2026-13-01T00:00:00Z"}"#, .badTimestamp),
        (#"{"name":"m","value":1,"timestamp":"2026-01-01"}"#, .badTimestamp),
        (#"{"name":"m","value":1,"timestamp":"2026-02-30T00:00:00Z"}"#, .badTimestamp),
        (#"{"name":"m","value":1,"timestamp":"2026-01-01T24:00:00Z"}"#, .badTimestamp),
        (#"{"name":"m","value":1,"timestamp":"2026-01-01T00:00:00"}"#, .badTimestamp),
        (#"{"name":"m","value":1,"timestamp":"2026-01-01T00:00:00.Z"}"#, .badTimestamp),
        (#"{"name":"m","value":1,"timestamp":"1767225600"}"#, .badTimestamp),
        (#"{"name":"m","value":1,"timestamp":true}"#, .badTimestamp),
        (#"{"name":"m","value":1,"timestamp":{}}"#, .badTimestamp),
        (#"{"name":"m","value":1,"timestamp":""}"#, .badTimestamp),
        (#"{"name":"m","value":1,"timestamp":1e300}"#, .timestampOutOfRange),
        (#"{"name":"m","value":1,"timestamp":-99999999999999999999}"#, .timestampOutOfRange),
        (#"{"name":"m","value":1,"timestamp":9223372036854775807}"#, .timestampOutOfRange),
        (#"{"name":"m","labels":"x","value":1,"timestamp":5}"#, .badLabel),
        (#"{"name":"m","labels":[],"value":1,"timestamp":5}"#, .badLabel),
        (#"{"name":"m","labels":{"a":1},"value":1,"timestamp":5}"#, .badLabel),
        (#"{"name":"m","labels":{"a":null},"value":1,"timestamp":5}"#, .badLabel),
        (#"{"name":"m","labels":{"a":true},"value":1,"timestamp":5}"#, .badLabel),
        (#"{"name":"m","labels":{"":"x"},"value":1,"timestamp":5}"#, .badLabel),
        (#"{"name":"m","labels":{"a":{"b":"c"}},"value":1,"timestamp":5}"#, .badLabel),
        (#"{"name":"m","labels":{"a":"1","a":"2"},"value":1,"timestamp":5}"#, .duplicateLabel),
        (#"{"name":"m","labels":{"a":"1","\u0061":"1"},"value":1,"timestamp":5}"#, .duplicateLabel),
        (#"{"labels":{"__name__":"m","__name__":"m"},"value":1,"timestamp":5}"#, .duplicateLabel),
        (#"{"name":"m","labels":{"__name__":"n"},"value":1,"timestamp":5}"#, .badName),
        (#"{"labels":{"__name__":"n"},"name":"m","value":1,"timestamp":5}"#, .badName),
        (#"{"name":null,"labels":{},"value":1,"timestamp":5}"#, .badName),
        (#"{"name":1,"value":1,"timestamp":5}"#, .badName),
        (#"{"name":"","labels":{"__name__":""},"value":1,"timestamp":5}"#, .badName),
        (#"{"value":1,"timestamp":5}"#, .badName),
        (#"{"name":"m","value":NaN,"timestamp":5}"#, .malformed),
        (#"{"name":"m","value":Infinity,"timestamp":5}"#, .malformed),
        (#"{"name":"m","value":+1,"timestamp":5}"#, .malformed),
        (#"{"name":"m","value":01,"timestamp":5}"#, .malformed),
        (#"{"name":"m","value":.5,"timestamp":5}"#, .malformed),
        (#"{"name":"m","value":1.,"timestamp":5}"#, .malformed),
        (#"{"name":"m","value":1,"timestamp":05}"#, .malformed),
        (#"{"name":"m","value":1e,"timestamp":5}"#, .malformed),
        (#"{"name":"m","value":1 "timestamp":5}"#, .malformed), (#"{"name":"m","value" 1,"timestamp":5}"#, .malformed),
        (#"{"name":"m","value":1,"timestamp":5,}"#, .malformed),
        (#"{,"name":"m","value":1,"timestamp":5}"#, .malformed),
        (#"{name:"m","value":1,"timestamp":5}"#, .malformed), (#"{'name':'m','value':1,'timestamp':5}"#, .malformed),
        (#"{"name":"m","value":1,"timestamp":5,"x":tru}"#, .malformed),
        (#"{"name":"m","value":1,"timestamp":5,"x":[1,]}"#, .malformed),
        (#"{"name":"m","value":1,"timestamp":5,"x":{"y"}}"#, .malformed),
        (#"{"name":"m","value":1,"timestamp":5,"x":"\x"}"#, .malformed),
        (#"{"name":"m","labels":{"a":"\ud800"},"value":1,"timestamp":5}"#, .malformed),
        (#"{"name":"m","labels":{"a":"\udc00\ud800"},"value":1,"timestamp":5}"#, .malformed),
        (#"{"name":"m","value":1,"timestamp":5,"x":"\ud800x"}"#, .malformed),
        (#"{"name":"m","value":1,"timestamp":5,"x":"\u12g4"}"#, .malformed),
        ("{\"name\":\"m\",\"labels\":{\"a\":\"\u{1}\"},\"value\":1,\"timestamp\":5}", .malformed),
        ("{\"name\":\"m\u{0}\",\"value\":1,\"timestamp\":5}", .malformed),
        (
            "{\"timestamp\":\"\0\0\0\0\0\0\0\0\0\0T00:00:00Z\",\"name\":\"m\",\"labels\":{\"a\":\"b\"},\"value\":1}",
            .malformed
        ),
    ])
    func oneBadObject(_ object: String, _ reason: BadRecordReason) throws {
        let good = #"{"name":"m","labels":{"a":"b"},"value":1,"timestamp":5}"#
        let sample = #"m{a="b"} 1.0 5000"#
        #expect(try decode(object, as: "sample-json").bad == ["1 \(reason.rawValue)"])
        let lines = try decode("\(good)\n\(object)\n\(good)\n", as: "sample-json", .file)
        #expect(lines.bad == ["2 \(reason.rawValue)"], "\(lines)")
        #expect(lines.samples == [sample, sample])
        #expect(lines.badRecords.map(\.raw) == [Array(object.utf8)])
        #expect(lines.records == 3)
        let array = try decode("[\(good),\(object),\(good)]", as: "sample-json")
        #expect(array.bad == ["2 \(reason.rawValue)"], "\(array)")
        #expect(array.samples == [sample, sample])
        #expect(array.badRecords.map(\.raw) == [Array(object.utf8)])
        let trailing = try decode("\(object)x", as: "sample-json")
        #expect(trailing.bad == ["1 malformed"])
    }

    static let good = #"{"name":"m","value":1,"timestamp":5}"#

    @Test(
        arguments: [
            ("", 0, []), ("\n\n", 0, []), ("[]", 0, []), (" [ ] \n", 0, []), ("[]\n[]\n", 0, []),
            ("[", 0, ["1 malformed"]), ("]", 0, ["1 malformed"]), ("{", 0, ["1 malformed"]), ("}", 0, ["1 malformed"]),
            ("[]x", 0, ["1 malformed"]), ("[GOOD]x", 1, ["2 malformed"]), ("[GOOD][GOOD]", 1, ["2 malformed"]),
            ("[GOOD", 1, ["2 malformed"]), ("[GOOD,", 1, ["2 malformed"]), ("[GOOD,{", 1, ["2 malformed"]),
            (#"[GOOD,{"name":"m"#, 1, ["2 malformed"]), ("[GOOD,GOOD", 2, ["3 malformed"]),
            ("[GOOD GOOD]", 1, ["2 malformed"]),
            ("[GOOD,]", 1, ["2 malformed"]), ("[,GOOD]", 1, ["1 malformed"]), ("[GOOD,,GOOD]", 2, ["2 malformed"]),
            ("[GOOD,[GOOD],GOOD]", 2, ["2 malformed"]), ("[GOOD,1 2,GOOD]", 2, ["2 malformed"]),
            ("[[[[", 0, ["1 malformed"]),
            ("[GOOD]]", 1, ["2 malformed"]), ("[GOOD}", 1, ["2 malformed"]),
            ("GOOD GOOD", 0, ["1 malformed"]), ("GOOD,GOOD", 0, ["1 malformed"]),
            ("GOODGOOD\nGOOD", 1, ["1 malformed"]),
            ("GOOD\n{\nGOOD", 2, ["2 malformed"]), ("{\nGOOD\nGOOD", 2, ["1 malformed"]),
            ("GOOD\n[GOOD,GOOD]\nx\nGOOD", 4, ["3 malformed"]),
            ("x\nGOOD", 1, ["1 malformed"]), ("[GOOD\nGOOD", 2, ["1 malformed"]), ("[GOOD,\nGOOD,\nGOOD]", 3, []),
            ("[GOOD,\nx,\nGOOD\n]\n\n", 2, ["2 malformed"]), ("\"\nGOOD", 1, ["1 malformed"]),
            ("[1,null,\"a\"]", 0, ["1 malformed", "2 malformed", "3 malformed"]),
        ] as [(String, Int, [String])])
    func structure(_ text: String, _ samples: Int, _ bad: [String]) throws {
        let decoded = try decode(
            text.split(separator: "GOOD", omittingEmptySubsequences: false).joined(separator: Self.good),
            as: "sample-json")
        #expect(decoded.samples.count == samples, "\(decoded)")
        #expect(decoded.bad == bad, "\(decoded)")
        #expect(decoded.records == 1)
        #expect(decoded.badRecords.allSatisfy { !$0.raw.isEmpty })
    }

    @Test func aPrettyPrintedObject() throws {
        let text =
            "{\n  \"name\": \"m\",\n  \"labels\": {\n    \"a\": \"b\"\n  },\n  \"value\": 1,\n  \"timestamp\": 5\n}\n"
        let decoded = try decode(text, as: "sample-json")
        #expect(decoded.samples == [#"m{a="b"} 1.0 5000"#])
        // In a file every line is a record.
        let lines = try decode(text, as: "sample-json", .file)
        #expect(lines.samples == [])
        #expect(lines.bad.count == 8)
        // What a message over several lines has taught must not join lines of a file.
        let series = SeriesDictionary()
        let batch = SampleBatch()
        let decoder = try format("sample-json").makeDecoder(limits: DecodeLimits())
        let split = "{\"name\":\"m\",\"labels\":\n{\"a\":\"b\"},\"value\":1,\"timestamp\":5}"
        for isFile in [false, false, true] {
            Array(split.utf8).withUnsafeBufferPointer {
                decoder.decode(
                    RawRecord(bytes: $0, offset: 0, timestampMs: isFile ? nil : 7, linesAreRecords: isFile),
                    latestTimestampMs: .max, series: series, into: batch)
            }
        }
        #expect(batch.count == 2)
        #expect(batch.bad.count == 2)
    }

    @Test func limits() throws {
        var given = Given.message
        given.limits.maxLabelsPerSeries = 1
        given.limits.maxLineBytes = 70
        let one = #"{"name":"m","labels":{"__name__":"m","a":"b"},"value":1,"timestamp":5}"#
        let two = #"{"name":"m","labels":{"a":"b","c":"d"},"value":1,"timestamp":5}"#
        let long = #"{"name":"m","labels":{"__name__":"m","a":"b"},"value":1,"timestamp":56}"#
        #expect(one.utf8.count == 70)
        for text in [
            "[\(one),\(two),\(long),\(one)]", "\(one)\n\(two)\n\(long)\n\(one)",
            "  \(one)  \n\(two)\n\(long)\n\(one)\t\r\n",
        ] {
            let decoded = try decode(text, as: "sample-json", given)
            #expect(decoded.samples == [#"m{a="b"} 1.0 5000"#, #"m{a="b"} 1.0 5000"#], "\(decoded)")
            #expect(decoded.bad == ["2 tooManyLabels", "3 lineTooLong"], "\(decoded)")
        }
        given.limits.maxMessageBytes = 10
        #expect(try decode(one, as: "sample-json", given).bad == ["1 messageTooLarge"])
    }

    @Test func depth() throws {
        func nested(_ depth: Int) -> String {
            #"{"name":"m","value":1,"timestamp":5,"x":"# + String(repeating: "[", count: depth)
                + String(repeating: "]", count: depth) + "}"
        }
        #expect(try decode(nested(64), as: "sample-json").samples == ["m 1.0 5000"])
        #expect(try decode(nested(65), as: "sample-json").bad == ["1 malformed"])
        #expect(try decode("[\(nested(20_000)),\(Self.good)]", as: "sample-json").samples == ["m 1.0 5000"])
        #expect(try decode(String(repeating: "[", count: 100_000), as: "sample-json").bad == ["1 malformed"])
        #expect(try decode(String(repeating: "{\"a\":", count: 10_000), as: "sample-json").bad == ["1 malformed"])
    }

    @Test func futureAndMissingTimes() throws {
        var given = Given.message
        given.latestTimestampMs = 5000
        let decoded = try decode(
            "[\(Self.good),{\"name\":\"m\",\"value\":1,\"timestamp\":5.001}]", as: "sample-json", given)
        #expect(decoded.samples == ["m 1.0 5000"])
        #expect(decoded.bad == ["2 futureTimestamp"])
        #expect(try decode(#"{"name":"m","value":1}"#, as: "sample-json", .file).bad == ["1 missingTimestamp"])
        #expect(
            try decode(#"{"name":"m","value":1,"timestamp":null}"#, as: "sample-json", .file).bad == [
                "1 missingTimestamp"
            ])
    }

    @Test func placesInAFile() throws {
        var given = Given.file
        given.offset = 10
        let decoded = try decode(
            "\(Self.good)\n[\(Self.good),x,\(Self.good)]\n\n\(Self.good)", as: "sample-json", given)
        #expect(decoded.places == [11, 12, 12, 14])
        #expect(decoded.bad == ["12 malformed"])
        #expect(decoded.badRecords.map(\.offset) == [11])
        #expect(decoded.badRecords.map(\.raw) == [Array("x".utf8)])
        #expect(decoded.records == 4)
    }

    @Test func invalidUTF8() throws {
        let head = Array(#"{"name":"m","labels":{"a":""#.utf8)
        let tail = Array(#""},"value":1,"timestamp":5}"#.utf8)
        let line = head + [0xC3, 0x28] + tail
        #expect(try decode(line, as: "sample-json").bad == ["1 invalidUTF8"])
        let array =
            Array("[".utf8) + Array(Self.good.utf8) + Array(",".utf8) + line + Array(",".utf8) + Array(Self.good.utf8)
        let decoded = try decode(array + Array("]".utf8), as: "sample-json")
        #expect(decoded.samples.count == 2)
        #expect(decoded.bad == ["2 invalidUTF8"])
        let unknown = Array(#"{"name":"m","value":1,"timestamp":5,"x":""#.utf8) + [0xFF] + Array("\"}".utf8)
        #expect(try decode(unknown, as: "sample-json").bad == ["1 invalidUTF8"])
    }

    /// Labels in random order cost a bounded number of spellings.
    @Test func randomLabelOrder() throws {
        var random = SeededRandom(seed: 11)
        var names = (0..<12).map { "l\($0)" }
        var text = ""
        for _ in 0..<300 {
            names.shuffle(using: &random)
            let labels = names.map { "\"\($0)\":\"v\"" }.joined(separator: ",")
            text += "{\"name\":\"m\",\"labels\":{\(labels)},\"value\":1,\"timestamp\":5}\n"
        }
        let decoded = try decode(text, as: "sample-json")
        #expect(Set(decoded.samples).count == 1)
        #expect(decoded.samples.count == 300)
    }

    /// Nothing of a series is kept twice: not its name, which this format writes twice, nor its labels beside their spelling.
    @Test(arguments: ["", " "]) func spellingsTellTheLabels(space: String) throws {
        let series = SeriesDictionary()
        let batch = SampleBatch()
        let decoder = try format("sample-json").makeDecoder(limits: DecodeLimits())
        let name = String(repeating: "long_metric_name_", count: 5)
        func scrape(_ time: Int) {
            let lines = (0..<1000).map { index in
                #"{"timestamp":\#(time),"value":"1","name":"\#(name)\#(index)","labels":\#(space){"__name__":"\#(name)\#(index)","#
                    + #""instance":"node-\#(index):9100"}}"#
            }
            Array(lines.joined(separator: "\n").utf8).withUnsafeBufferPointer {
                decoder.decode(
                    RawRecord(bytes: $0, offset: 0, timestampMs: nil, linesAreRecords: true), latestTimestampMs: .max,
                    series: series, into: batch)
            }
        }
        for time in 1...3 { scrape(time) }
        #expect(batch.count == 3000 && batch.bad.isEmpty && series.seriesCount == 1000)
        #expect(batch.series[0] == batch.series[2000] && batch.series[999] == batch.series[1999])
        // A spelling, less than a hundred bytes of records and tables; with a space the name is in it twice.
        let spelling = space.isEmpty ? name.utf8.count + 45 : 2 * name.utf8.count + 60
        #expect(series.byteCount / 1000 < spelling + 100, "\(series.byteCount) bytes")
    }

    /// Series whose spellings begin alike, in changing order, so that look-ups and forecasts are all tried and missed.
    @Test func likeSpellingsInAnyOrder() throws {
        let name127 = String(repeating: "n", count: 127)
        let spellings = [
            #""name":"m""#, #""name":"m","labels":{}"#, #""labels":{},"name":"m""#, #""labels":{"__name__":"m"}"#,
            #""name":"m","labels":{"a":"}"}"#, #""labels":{"a":"}"},"name":"m""#, #""name":"m", "labels":{"a":"x"}"#,
            #""name":"m","labels":{"a":"x"}"#, #""labels":{"a":"x"},"name":"m""#, #""labels":{"a":"x"},"name":"mm""#,
            #""labels":{"a":"x","__name__":"m"}"#, #""labels":{"a":"x","__name__":"m"},"name":"m""#,
            #""labels":{"a":"x","__name__":"m"},"name":"n""#, #""name":"m","labels":{"__name__":"n"}"#,
            // The name twice, as the prometheus-kafka-adapter writes it.
            #""name":"m","labels":{"__name__":"m"}"#, #""name":"m","labels":{"__name__":"m","a":"x"}"#,
            #""name":"m","labels":{"__name__":"m", "a":"x"}"#, #""name":"m","labels": {"__name__":"m","a":"x"}"#,
            #""labels":{"__name__":"m","a":"x"}"#, #""labels":{"__name__":"m","a":"x"},"name":"m""#,
            #""name":"m","labels":{"__name__":"m","a":"}"}"#, #""name":"mm","labels":{"__name__":"mm","a":"x"}"#,
            #""name":"m\\","labels":{"__name__":"m\\","a":"x"}"#, #""name":"m\"","labels":{"__name__":"m\"","a":"x"}"#,
            #""name":"m","labels":{"__name__":"mm","a":"x"}"#, #""name":"","labels":{"__name__":"","a":"x"}"#,
            #""name":"\#(name127)","labels":{"__name__":"\#(name127)","a":"x"}"#,
            #""name":"\#(name127)n","labels":{"__name__":"\#(name127)n","a":"x"}"#,
        ]
        let series: [String?] = [
            "m", "m", "m", "m", #"m{a="}"}"#, #"m{a="}"}"#, #"m{a="x"}"#, #"m{a="x"}"#, #"m{a="x"}"#, #"mm{a="x"}"#,
            #"m{a="x"}"#, #"m{a="x"}"#, nil, nil,
            "m", #"m{a="x"}"#, #"m{a="x"}"#, #"m{a="x"}"#, #"m{a="x"}"#, #"m{a="x"}"#, #"m{a="}"}"#, #"mm{a="x"}"#,
            #"m\{a="x"}"#, #"m"{a="x"}"#, nil, nil, #"\#(name127){a="x"}"#, #"\#(name127)n{a="x"}"#,
        ]
        var random = SeededRandom(seed: 3)
        var lines: [String] = []
        var expected: [String] = []
        for i in 0..<2000 {
            let which = random.below(spellings.count)
            lines.append(
                random.below(2) == 0
                    ? #"{\#(spellings[which]),"value":"\#(i)","timestamp":\#(i)}"#
                    : #"{"timestamp":\#(i),"value":\#(i),\#(spellings[which])}"#)
            if let name = series[which] { expected.append("\(name) \(i).0 \(i * 1000)") }
        }
        for text in [lines.joined(separator: "\n"), "[\(lines.joined(separator: ","))]"] {
            let decoded = try decode(text, as: "sample-json")
            #expect(decoded.samples == expected)
            #expect(decoded.samples.count + decoded.bad.count == 2000)
            #expect(decoded.badRecords.allSatisfy { $0.reason == .badName })
        }
    }
}
