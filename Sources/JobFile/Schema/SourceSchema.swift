import StreamEngine

/// The keys of one source.
enum SourceSchema {
    static func schema(_ registries: Registries) -> OptionSchema {
        OptionSchema(
            "source", "what is read",
            [
                .required("kafka", .object(kafka), "the topics, and where to start"),
                .required("format", .word(registries.formats.map(\.name)), "how records are written"),
                .defaulted(
                    "partitionedBy", .list(.text(.column)), .list([]),
                    "labels (or topic, partition) by which the producer partitions"),
                .defaulted(
                    "watermark", .object(watermark), .object(watermark.defaults(path: "watermark")),
                    "how long late samples are waited for"),
                .defaulted(
                    "broadcast", .boolean, .boolean(false), "read whole by every member, as context for verdicts"),
            ])
    }

    static let kafka = OptionSchema(
        "kafka", "topics of the job's cluster",
        [
            .optional("topics", .list(.text(.topic)), absent: "or `pattern`", "topics by name"),
            .optional(
                "pattern", .text(.regex), absent: "or `topics`",
                "topics by regular expression, such as \"^metrics-.*\"; new ones join within 30 s"),
            .defaulted(
                "startingOffsets",
                .either([
                    .word(["earliest", "latest"]), .text(.time), .map(.map(.integer(0...Int64.max))),
                ]), .text("earliest"),
                "earliest, latest, an RFC 3339 time or {topic: {partition: offset}}; only where the group has none"),
            .optional(
                "brokers", .either([.string, .list(.string)]), absent: "the job's",
                "another cluster; only for broadcast sources"),
            .defaulted(
                "options", .map(.string), .map([]), "librdkafka settings on top of the job's"),
        ])

    static let watermark = OptionSchema(
        "watermark", "event time up to which a partition is complete: its largest timestamp minus the delay",
        [
            .defaulted("delay", .duration, .duration(60_000), "how far out of order samples may come"),
            .defaulted(
                "idleTimeout", .durationOrOff, .duration(30_000), "a partition quiet for so long is not waited for"),
            .defaulted(
                "maxFutureSkew", .durationOrOff, .duration(300_000),
                "samples further ahead of the clock are bad records"),
        ])
}
