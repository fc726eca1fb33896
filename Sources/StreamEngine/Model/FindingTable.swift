/// The columns of anomalies and impacts as rows, the same for every job: what Parquet files of them hold. Labels, events and
/// annotations are JSON texts, since they differ from query to query.
public enum FindingTable {
    /// Of `AnomalyRow`, in the order of its JSON.
    public static let anomalies = RowSchema(columns: [
        text("job"), text("query"), text("detector"), text("type"), time("timestamp"),
        ColumnDescription(name: "window_start", type: .timestamp, role: .windowStart),
        ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd), text("labels"), text("column"),
        number("value"), number("expected"), number("lower"), number("upper"), number("score"), text("state"),
        text("severity"), value("reason", .text), time("startedAt"), value("incidentId", .text),
        value("context", .text), value("annotations", .text),
    ])

    /// Of `ImpactRow`, in the order of its JSON.
    public static let impacts = RowSchema(columns: [
        text("job"), text("query"), text("impact"), time("timestamp"), text("source"), text("type"), text("reason"),
        text("severity"), text("object"), value("message", .text), value("eventLabels", .text), text("labels"),
        text("column"), number("before"), number("after"), number("change"), number("relative"),
        value("windowsBefore", .int64), value("windowsAfter", .int64),
    ])

    private static func text(_ name: String) -> ColumnDescription {
        ColumnDescription(name: name, type: .text, role: .key)
    }

    private static func number(_ name: String) -> ColumnDescription { value(name, .double) }
    private static func time(_ name: String) -> ColumnDescription { value(name, .timestamp) }

    private static func value(_ name: String, _ type: ColumnType) -> ColumnDescription {
        ColumnDescription(name: name, type: type, role: .derived)
    }
}
