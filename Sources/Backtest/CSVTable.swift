/// Comma-separated text (RFC 4180): quoted fields may hold commas, line ends and doubled quotes.
struct CSVTable {
    struct Record {
        var fields: [String]
        /// Where it begins, from 1.
        var line: Int
    }

    private(set) var records: [Record] = []
    /// The line of a quote without its partner; nil where every one has its own.
    private(set) var openQuoteLine: Int?

    init(_ text: [UInt8]) {
        var field: [UInt8] = []
        var fields: [String] = []
        var line = 1
        var firstLine = 1
        var isQuoted = false
        var quoteLine = 1
        var at = text.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
        func decoded(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        while at < text.count {
            let byte = text[at]
            at += 1
            if byte == 10 { line += 1 }
            if isQuoted {
                if byte != UInt8(ascii: "\"") {
                    field.append(byte)
                } else if at < text.count, text[at] == byte {
                    field.append(byte)
                    at += 1
                } else {
                    isQuoted = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\"") where field.isEmpty:
                isQuoted = true
                quoteLine = line
            case UInt8(ascii: ","):
                fields.append(decoded(field))
                field = []
            case 13 where at < text.count && text[at] == 10: continue
            case 10:
                records.append(Record(fields: fields + [decoded(field)], line: firstLine))
                (fields, field, firstLine) = ([], [], line)
            default: field.append(byte)
            }
        }
        if !field.isEmpty || !fields.isEmpty {
            records.append(Record(fields: fields + [decoded(field)], line: firstLine))
        }
        if isQuoted { openQuoteLine = quoteLine }
        records.removeAll { $0.fields.allSatisfy { $0.allSatisfy { $0 == " " || $0 == "\t" } } }
    }
}
