import StreamEngine

/// Every key of a job file (JOBS.md), put together from the registries. What checks a job also documents it.
public struct JobSchema: Sendable {
    /// The keys at the top.
    public let root: OptionSchema
    /// What a job may name.
    public let registries: Registries

    /// The schema of jobs over these registries.
    public init(_ registries: Registries) {
        self.registries = registries
        let queries = QuerySchema(registries)
        root = OptionSchema(
            "job", "one job: sources, queries over them, and where rows and state go",
            [
                .required("name", .text(.name), "names the job: `[a-z0-9-]+`"),
                .optional("group", .string, absent: "the name", "the job's one consumer group"),
                .optional(
                    "kafka", .object(Self.kafka), absent: "needed only to run live",
                    "the job's cluster: sources, transactional sinks and the group live on one"),
                .required(
                    "sources", .map(.object(SourceSchema.schema(registries))), "what is read, by the source's name"),
                .required("queries", .list(.object(queries.schema)), "what is computed, in order"),
                .defaulted(
                    "trigger", .object(Self.trigger), .object(Self.trigger.defaults(path: "trigger")),
                    "when a micro-batch is taken"),
                .defaulted(
                    "checkpoint", .object(Self.checkpoint), .object(Self.checkpoint.defaults(path: "checkpoint")),
                    "where state is kept"),
                .defaulted(
                    "deadLetter", .object(Self.deadLetter(registries)),
                    .object(Self.deadLetter(registries).defaults(path: "deadLetter")),
                    "where records go that cannot be used"),
                .defaulted(
                    "onBadRecord", .words(BadRecordAction.self), .text("deadLetter"),
                    "`skip` only counts them, `fail` stops at the first"),
                .defaulted(
                    "onDataLoss", .words(DataLossAction.self), .text("fail"),
                    "what to do when Kafka no longer holds an offset the checkpoint needs"),
                .defaulted(
                    "delivery", .words(Delivery.self), .text("exactlyOnce"),
                    "`none`: no group, no commits; looks at a topic with read-only rights"),
                .defaulted(
                    "limits", .object(Self.limits), .object(Self.limits.defaults(path: "limits")), "bounds on memory"),
                .optional(
                    "maxAhead", .positiveDuration, absent: "max(2 x largest window, 10m)",
                    "how far, in event time, a partition may run ahead of the slowest"),
            ])
    }

    static let kafka = OptionSchema(
        "kafka", "how to reach a Kafka cluster",
        [
            .optional(
                "brokers", .either([.string, .list(.string)]), absent: "needed only to run live",
                "`host:port`, several with commas"),
            .defaulted(
                "options", .map(.string), .map([]), "handed to librdkafka's consumer as they are (TLS, SASL …)"),
            .defaulted("producerOptions", .map(.string), .map([]), "the producer's"),
        ])

    static let trigger = OptionSchema(
        "trigger", "when a micro-batch is taken: one of these keys",
        [
            .optional("interval", .duration, absent: "1s", "every so often; `0s`: as fast as possible"),
            .optional("once", .boolean, absent: "false", "one micro-batch, then the end"),
            .optional("availableNow", .boolean, absent: "false", "what is there at the start, then the end"),
        ])

    static let checkpoint = OptionSchema(
        "checkpoint", "where state is kept, and how",
        [
            .optional(
                "location", .text(.path), absent: "checkpoints/NAME",
                "a directory; relative paths: to the working directory"),
            .defaulted(
                "compression", .words(CheckpointDefinition.Compression.self), .text("zstd"), "codec of state files"),
            .defaulted("retainEpochs", .integer(1...1_000_000), .integer(100), "how many epochs back can be gone to"),
            .defaulted(
                "snapshotRatio", .number(1...1000), .number(2),
                "state is written whole when its deltas have grown to so many times its last snapshot"),
        ])

    static let limits = OptionSchema(
        "limits", "bounds on memory",
        [
            .defaulted(
                "maxSeries", .integer(1...Int64(UInt32.max) / 2), .integer(1_000_000), "series per source partition"),
            .defaulted("maxLabelsPerSeries", .integer(0...10_000), .integer(64), "labels, the name not counted"),
            .defaulted("maxLineBytes", .size(1...1 << 30), .size(64 << 10), "bytes of a line or JSON element"),
            .defaulted("maxMessageBytes", .size(1...1 << 30), .size(16 << 20), "bytes of a message"),
            .defaulted(
                "maxStateBytes", .either([.positiveSize, .word(["none"])]), .text("none"),
                "bytes of state, beyond which the job stops"),
            .defaulted(
                "keyTTL", .positiveDuration, .duration(86_400_000),
                "a key unseen for so long in event time is forgotten"),
            .defaulted(
                "onLimit", .words(LimitAction.self), .text("fail"), "`drop` counts what goes beyond `maxSeries`"),
        ])

    static func deadLetter(_ registries: Registries) -> OptionSchema {
        let sinks = registries.sinks.filter(\.takesDocuments).map {
            OptionKey.optional($0.kind, .object($0.schema), "to this sink instead: \($0.schema.summary)")
        }
        return OptionSchema(
            "deadLetter", "records that cannot be used: JSONL in CHECKPOINT/dead-letter, or one sink",
            sinks + [
                .defaulted("rollSize", .positiveSize, .size(128 << 20), "bytes at which the next file is begun"),
                .defaulted("maxBytes", .positiveSize, .size(1 << 30), "bytes in all; then they are only counted"),
            ])
    }
}

extension OptionType {
    /// The words of an enumeration.
    static func words<T: CaseIterable & RawRepresentable>(_ type: T.Type) -> OptionType where T.RawValue == String {
        .word(T.allCases.map(\.rawValue))
    }

    /// A duration above zero, or `off`.
    static let durationOrOff: OptionType = .either([.positiveDuration, .word(["off"])])
}
