import Connectors
import Platform
import StreamEngine
import Testing

@Suite struct EventJSONTests {
    @Test(arguments: [
        (
            #"{"timestamp":"2026-01-01T00:00:00Z","type":"ClusterScaling","reason":"ScaleUp","severity":"info","object":"MachineSet/workers","message":"3 -> 5","labels":{"cluster":"c1"}}"#,
            #"{cluster="c1",object="MachineSet/workers",reason="ScaleUp",severity="info",type="ClusterScaling"} 1.0 1767225600000"#,
            "3 -> 5"
        ),
        (#"{"type":"T","timestamp":1767225600.5}"#, #"{type="T"} 1.0 1767225600500"#, ""),
        (#"{"type":"T"}"#, #"{type="T"} 1.0 7"#, ""),
        (#"{"type":"T","reason":null,"message":null,"labels":null}"#, #"{type="T"} 1.0 7"#, ""),
        (
            #"{"type":"T","labels":{"type":"x","severity":"y","reason":"","message":"m","a":""},"message":"é\n"}"#,
            #"{labels.severity="y",labels.type="x",message="m",type="T"} 1.0 7"#, "é\n"
        ),
        (#"{"type":"T","object":"o","count":3,"source":"s"}"#, #"{object="o",type="T"} 1.0 7"#, ""),
    ])
    func nativeForm(_ object: String, _ expected: String, _ message: String) throws {
        for text in [object, "[\(object)]", object + "\n"] {
            let decoded = try decode(text, as: "event-json")
            #expect(decoded.samples == [expected], "\(decoded)")
            #expect(decoded.messages == [message])
            #expect(decoded.bad == [])
        }
    }

    @Test(arguments: [
        ("{}", BadRecordReason.badName), (#"{"type":""}"#, .badName), (#"{"type":1}"#, .malformed), ("1", .malformed),
        (#"{"type":"T","reason":1}"#, .malformed), (#"{"type":"T","message":[]}"#, .malformed),
        (#"{"type":"T","labels":[]}"#, .badLabel), (#"{"type":"T","labels":{"a":1}}"#, .badLabel),
        (#"{"type":"T","labels":{"":"a"}}"#, .badLabel), (#"{"type":"T","labels":{"a":"1","a":"2"}}"#, .duplicateLabel),
        (#"{"type":"T","timestamp":"then"}"#, .badTimestamp), (#"{"type":"T","timestamp":1e40}"#, .timestampOutOfRange),
        (#"{"type":"T","timestamp":9e17}"#, .futureTimestamp),
        (#"{"kind":"Event"}"#, .badName), (#"{"involvedObject":{}}"#, .badName),
        (#"{"kind":"Event","involvedObject":3}"#, .malformed),
        (#"{"involvedObject":{"kind":"Pod"},"lastTimestamp":"x"}"#, .badTimestamp),
        (#"{"involvedObject":{"kind":"Pod"},"metadata":"x"}"#, .malformed),
        (
            #"{"involvedObject":{"kind":"Pod"},"metadata":{"uid":"u"},"count":"x","lastTimestamp":"2026-01-01T00:00:00Z"}"#,
            .malformed
        ),
    ])
    func badEvents(_ object: String, _ reason: BadRecordReason) throws {
        var given = Given.message
        given.latestTimestampMs = 800_000_000_000_000_000
        let decoded = try decode(#"[{"type":"T"},"# + object + #",{"type":"T"}]"#, as: "event-json", given)
        #expect(decoded.bad == ["2 \(reason.rawValue)"], "\(decoded)")
        #expect(decoded.samples.count == 2)
        #expect(decoded.messages.count == 2)
    }

    static let podEvent = """
        {"apiVersion":"v1","kind":"Event","metadata":{"name":"web-1.17a","namespace":"shop","uid":"u-1",
        "creationTimestamp":"2026-01-01T00:00:01Z","managedFields":[{"fieldsV1":{"f:count":{},"f:source":{"f:host":{}}}}]},
        "involvedObject":{"kind":"Pod","namespace":"shop","name":"web-1","uid":"p-1","fieldPath":"spec.containers{web}"},
        "reason":"BackOff","message":"Back-off restarting failed container","source":{"component":"kubelet","host":"node-1"},
        "firstTimestamp":"2026-01-01T00:00:00Z","lastTimestamp":"2026-01-01T00:00:02Z","count":3,"type":"Warning",
        "eventTime":null,"reportingComponent":"","reportingInstance":""}
        """

    @Test func kubernetesEvent() throws {
        let decoded = try decode(Self.podEvent, as: "event-json")
        #expect(
            decoded.samples == [
                #"{kind="Pod",name="web-1",namespace="shop",node="node-1",object="Pod/web-1",reason="BackOff",severity="warning",type="Pod"} 1.0 1767225602000"#
            ])
        #expect(decoded.messages == ["Back-off restarting failed container"])
    }

    /// Where the parts of an event are taken from.
    @Test(arguments: [
        (
            #""involvedObject":{"kind":"Node","name":"n1"},"type":"Normal","eventTime":"2026-01-01T00:00:00.123456Z""#,
            #"{kind="Node",name="n1",node="n1",object="Node/n1",severity="info",type="Node"} 1.0 1767225600123"#
        ),
        (
            #""involvedObject":{"kind":"Pod","name":"p"},"metadata":{"namespace":"ns","creationTimestamp":"2026-01-01T00:00:01Z"},"reportingComponent":"kubelet","reportingInstance":"n2","lastTimestamp":null"#,
            #"{kind="Pod",name="p",namespace="ns",node="n2",object="Pod/p",type="Pod"} 1.0 1767225601000"#
        ),
        (
            #""involvedObject":{"kind":"Pod","name":"p"},"reportingComponent":"scheduler","reportingInstance":"s-1","series":{"count":4,"lastObservedTime":"2026-01-01T00:00:03Z"},"metadata":{"creationTimestamp":"2026-01-01T00:00:01Z"}"#,
            #"{kind="Pod",name="p",object="Pod/p",type="Pod"} 1.0 1767225603000"#
        ),
        (
            #""involvedObject":{"kind":"Pod","name":"p"},"type":"Error","lastTimestamp":"""#,
            #"{kind="Pod",name="p",object="Pod/p",severity="error",type="Pod"} 1.0 7"#
        ),
        (
            #""apiVersion":"events.k8s.io/v1","regarding":{"kind":"Pod","name":"p"},"note":"text","deprecatedSource":{"host":"n3"},"deprecatedLastTimestamp":"2026-01-01T00:00:00Z""#,
            #"{kind="Pod",name="p",node="n3",object="Pod/p",type="Pod"} 1.0 1767225600000"#
        ),
    ])
    func kubernetesParts(_ members: String, _ expected: String) throws {
        let decoded = try decode("{\"kind\":\"Event\",\(members)}", as: "event-json")
        #expect(decoded.samples == [expected], "\(decoded)")
    }

    @Test func aRepeatedEventCountsOnceByCountAndTime() throws {
        func event(_ uid: String, _ count: Int, _ second: Int) -> String {
            #"{"involvedObject":{"kind":"Pod","name":"p"},"metadata":{"uid":"\#(uid)"},"count":\#(count),"lastTimestamp":"2026-01-01T00:00:0\#(second)Z"}"#
        }
        let lines = [
            event("a", 1, 0), event("a", 1, 0), event("a", 2, 1), event("b", 1, 0), event("a", 2, 1), event("a", 2, 2),
            event("a", 3, 2),
        ]
        let decoded = try decode(lines.joined(separator: "\n"), as: "event-json")
        #expect(decoded.bad == ["2 duplicateEvent", "5 duplicateEvent"])
        #expect(decoded.samples.count == 5)
        #expect(decoded.messages.count == 5)
        // Our own events have no identity: two are two.
        #expect(try decode("{\"type\":\"T\"}\n{\"type\":\"T\"}", as: "event-json").samples.count == 2)
    }

    /// A decoder that goes on from another's state knows what that one has read.
    @Test func repetitionsAreKeptInCheckpoints() throws {
        func decode(_ decoder: any RecordDecoder, _ offset: Int64, _ count: Int) -> (samples: Int, bad: Int) {
            let object = #""involvedObject":{"kind":"Pod"},"metadata":{"uid":"a"},"lastTimestamp":1767225600"#
            let text = "{\(object),\"count\":\(count)}"
            let batch = SampleBatch()
            Array(text.utf8).withUnsafeBufferPointer {
                decoder.decode(
                    RawRecord(bytes: $0, offset: offset, timestampMs: nil, linesAreRecords: false),
                    latestTimestampMs: .max,
                    series: SeriesDictionary(), into: batch)
            }
            return (batch.count, batch.bad.count)
        }
        let first = EventJSONFormat().makeDecoder(limits: DecodeLimits())
        #expect(decode(first, 0, 1) == (1, 0))
        var writer = ByteWriter()
        first.encodeState(to: &writer)
        let second = EventJSONFormat().makeDecoder(limits: DecodeLimits())
        var reader = ByteReader(writer.bytes)
        try second.decodeState(from: &reader)
        #expect(reader.isAtEnd)
        #expect(decode(second, 1, 1) == (0, 1))
        #expect(decode(second, 2, 2) == (1, 0))
        for length in 0..<writer.bytes.count {
            var cut = ByteReader(Array(writer.bytes.prefix(length)))
            #expect(throws: DecodingFailure.self) {
                try EventJSONFormat().makeDecoder(limits: DecodeLimits()).decodeState(from: &cut)
            }
        }
    }

    /// A day of event time later an event is forgotten, whenever memory was last tidied.
    @Test func repetitionsAreForgottenAfterADay() throws {
        func event(_ second: Int, _ uid: String) -> String {
            #"{"involvedObject":{"kind":"Pod"},"metadata":{"uid":"\#(uid)"},"lastTimestamp":\#(second + 1_767_225_600)}"#
        }
        let lines = [
            event(0, "a"), event(86_399, "b"), event(0, "a"), event(86_400, "c"), event(0, "a"), event(86_400, "c"),
        ]
        let decoded = try decode(lines.joined(separator: "\n"), as: "event-json")
        #expect(decoded.bad == ["3 duplicateEvent", "6 duplicateEvent"])
    }

    /// An aborted epoch is read again by the same decoder: nothing of it is a duplicate of itself.
    @Test func offsetsThatGoBackForgetWhatWillBeReadAgain() throws {
        func event(_ uid: String) -> [UInt8] {
            Array(
                #"{"involvedObject":{"kind":"Pod"},"metadata":{"uid":"\#(uid)"},"lastTimestamp":1767225600}"#.utf8)
        }
        let decoder = try format("event-json").makeDecoder(limits: DecodeLimits())
        let series = SeriesDictionary()
        let batch = SampleBatch()
        var taken: [Bool] = []
        for (offset, uid) in [(1, "a"), (2, "b"), (3, "a"), (2, "b"), (3, "a"), (4, "b"), (1, "a"), (2, "b")]
            as [(Int64, String)]
        {
            batch.clear()
            event(uid).withUnsafeBufferPointer {
                decoder.decode(
                    RawRecord(bytes: $0, offset: offset, timestampMs: 7, linesAreRecords: false),
                    latestTimestampMs: .max, series: series, into: batch)
            }
            taken.append(batch.count == 1)
        }
        #expect(taken == [true, true, false, true, false, false, true, true])
    }
}
