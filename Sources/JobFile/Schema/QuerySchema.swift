import StreamEngine

/// The keys of one query, its sinks and its detectors.
struct QuerySchema {
    let schema: OptionSchema
    let anomaly: OptionSchema
    let impact: OptionSchema

    init(_ registries: Registries) {
        let sinks = OptionType.oneOf(noun: "sink", registries.sinks.map(\.schema))
        let documents = OptionType.oneOf(
            noun: "sink", registries.sinks.filter(\.takesDocuments).map(\.schema))
        anomaly = Self.anomaly(registries, sinks)
        impact = Self.impact(sinks)
        schema = OptionSchema(
            "query", "what is computed over one source",
            [
                .required("name", .text(.identifier), "names the query: letters, digits, `-` and `_`"),
                .optional("from", .string, absent: "the only source", "the source"),
                .optional("select", .text(.selector), absent: "everything", "a PromQL series selector"),
                .defaulted(
                    "columns", .map(.text(.expression)), .map([]),
                    "computed before grouping, in order; usable in where and groupBy"),
                .optional("where", .text(.expression), absent: "every row", "which rows count"),
                .required("window", .object(Self.window), "tumbling or sliding windows of event time"),
                .optional(
                    "groupBy", .list(.text(.column)), absent: "[]: one global group", "label or column names"),
                .optional(
                    "without", .list(.text(.column)), absent: "see groupBy",
                    "instead of groupBy: all labels but these and the metric name"),
                .required("aggregates", .map(.text(.aggregate)), "outer(inner(expr)) where condition, by column"),
                .defaulted("derive", .map(.text(.expression)), .map([]), "computed after aggregation, in order"),
                .optional("having", .text(.expression), absent: "every row", "which result rows are emitted"),
                .defaulted(
                    "allowedLateness", .duration, .duration(0), "how long windows stay open behind the watermark"),
                .defaulted(
                    "outputMode", .words(OutputMode.self), .text("append"), "which rows a trigger emits"),
                .defaulted("sinks", .list(sinks), .list([]), "where the rows go"),
                .defaulted(
                    "anomalies", .list(.object(anomaly)), .list([]),
                    "detectors on the query's final rows (append mode)"),
                .defaulted(
                    "impacts", .list(.object(impact)), .list([]),
                    "what events do to a column: its mean before and after each (append mode)"),
                .optional("late", documents, absent: "counted only", "where late samples go"),
            ])
    }

    static let window = OptionSchema(
        "window", "windows [start, end) aligned to the epoch",
        [
            .required("size", .positiveDuration, "how long a window is"),
            .optional("slide", .positiveDuration, absent: "the size: tumbling", "how far apart windows begin"),
            .defaulted(
                "offset", .duration(-DurationText.maxMs...DurationText.maxMs), .duration(0),
                "shifts the windows; within (-slide, slide)"),
        ])

    private static func anomaly(_ registries: Registries, _ sinks: OptionType) -> OptionSchema {
        OptionSchema(
            "anomaly", "a detector on a query's rows",
            [
                .required("name", .text(.identifier), "names the detector"),
                .optional("column", .text(.column), absent: "where the detector needs none", "what it looks at"),
                .required(
                    "detector", .byType(noun: "detector", registries.detectors.map(\.schema)), "its type and parameters"
                ),
                .defaulted("for", .duration, .duration(0), "how long it must hold before it fires"),
                .defaulted("keepFiringFor", .duration, .duration(0), "how long it fires on"),
                .defaulted("cooldown", .duration, .duration(0), "how long it is quiet after it resolved"),
                .defaulted(
                    "missing", .words(AnomalyDefinition.Missing.self), .text("resolve"),
                    "what a known key without a row means"),
                .defaulted("severity", .string, .text("warning"), "a word for whoever is alerted"),
                .defaulted("labels", .map(.string), .map([]), "added to each anomaly"),
                .defaulted("annotations", .map(.string), .map([]), "added to each anomaly"),
                .defaulted("groupInto", .list(.text(.column)), .list([]), "labels that make one incident of many keys"),
                .defaulted("context", .list(.object(context)), .list([]), "events that explain or silence it"),
                .defaulted(
                    "emit", .words(AnomalyDefinition.Emit.self), .text("transitions"),
                    "firing and resolved once each, every flagged window, or every row"),
                .optional("sinks", .list(sinks), absent: "none", "where anomalies go"),
            ])
    }

    private static func impact(_ sinks: OptionType) -> OptionSchema {
        OptionSchema(
            "impact", "what events do to a query's rows: a row for each event and key",
            [
                .required("name", .text(.identifier), "names the impact"),
                .required("column", .text(.column), "whose means are taken"),
                .required("from", .string, "a broadcast source"),
                .optional("where", .text(.expression), absent: "every event", "which events"),
                .defaulted(
                    "match", .either([.list(.text(.column)), .map(.text(.column))]), .list([]),
                    "labels that must be equal, or {rowLabel: eventColumn}"),
                .defaulted(
                    "before", .positiveDuration, .duration(600_000),
                    "the mean before is over the windows that lie wholly within so long ahead of the event"),
                .defaulted(
                    "after", .positiveDuration, .duration(600_000),
                    "the mean after, over those within so long behind it"),
                .defaulted("maxWait", .duration, .duration(120_000), "wall-clock time rows wait for events"),
                .optional("sinks", .list(sinks), absent: "none", "where the rows go"),
            ])
    }

    static let context = OptionSchema(
        "context", "events that count for a detector's verdict",
        [
            .required("from", .string, "a broadcast source"),
            .optional("where", .text(.expression), absent: "every event", "which events"),
            .defaulted(
                "match", .either([.list(.text(.column)), .map(.text(.column))]), .list([]),
                "labels that must be equal, or {rowLabel: eventColumn}"),
            .defaulted("before", .duration, .duration(0), "how long before it happens an event bears on windows"),
            .defaulted("after", .duration, .duration(0), "how long after it happened it does"),
            .defaulted(
                "action", .word(["annotate", "suppress", "lower", "raise"]), .text("annotate"), "what the event does"),
            .defaulted("maxWait", .duration, .duration(120_000), "wall-clock time a verdict waits for events"),
        ])
}
