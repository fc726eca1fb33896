import StreamEngine

/// The series that a sample object names, whatever its form: the one place that says what is wrong with it.
enum SampleJSONSeries {
    /// Reads name and labels: a string and an object, each where there is one.
    static func read(
        name: JSONValue?, labels object: JSONValue?, maxLabels: Int
    ) throws(DecodeFault) -> SeriesLabels {
        var labels: [Label] = []
        var nameLabel: ByteString?
        if let object {
            var p = object.start
            try JSONScanner.members(&p, object.end) { (key, value) throws(DecodeFault) in
                let labelName = key.text
                guard !labelName.isEmpty else { throw DecodeFault(.badLabel, "a label's name is empty") }
                guard value.kind == .string else {
                    throw DecodeFault(
                        .badLabel,
                        "the value of label `\(labelName)` is not a string: \(excerpt(value.start, value.end))")
                }
                if labelName == "__name__" {
                    guard nameLabel == nil else {
                        throw DecodeFault(.duplicateLabel, "label `__name__` stands twice")
                    }
                    nameLabel = value.text
                } else {
                    labels.append(Label(labelName, value.text))
                }
            }
        }
        let ownName = name?.text ?? .empty
        let labelName = nameLabel ?? .empty
        guard ownName.isEmpty || labelName.isEmpty || ownName == labelName else {
            throw DecodeFault(.badName, "`name` is `\(ownName)`, but `labels.__name__` is `\(labelName)`")
        }
        let metric = ownName.isEmpty ? labelName : ownName
        guard !metric.isEmpty else { throw DecodeFault(.badName, "neither `name` nor `labels.__name__`") }
        try ExpositionSeries.check(labels, maxLabels: maxLabels)
        return SeriesLabels(name: metric, labels: labels)
    }
}
