import Platform

/// Checkpoints of what one partition has frozen and no emission has taken: it waits for slower partitions.
///
///     windows taken       count, then 8 bytes each
///     contributions       count, then for each: window (8 bytes), 1 where no trigger has shown it, keys, the states of
///                         each column, changed groups (ascending positions), and for each log its panes in time order:
///                         the series (position of its key, labels) and their samples
extension QueryEmitter {
    /// Whether a partition's part changed since the last `encodePending`.
    func hasUnsavedPending(_ id: PartitionID) -> Bool {
        removedSaved[id] != nil || pending.values.contains { $0.contains { $0.id == id && !$0.isSaved } }
    }

    /// Rows that wait, of one partition.
    func pendingRows(_ id: PartitionID, unsavedOnly: Bool) -> Int {
        pending.values.reduce(0) { total, list in
            total + list.reduce(0) { $0 + ($1.id == id && !(unsavedOnly && $1.isSaved) ? $1.keys.count : 0) }
        }
    }

    /// Writes what waits of one partition, without `whole` what changed since the last call; gives how many rows that
    /// were.
    func encodePending(_ id: PartitionID, whole: Bool, to writer: inout ByteWriter) -> Int {
        let removed = whole ? [] : removedSaved[id] ?? []
        writer.writeCount(removed.count)
        for window in removed { writer.write(window) }
        var written: [Contribution] = []
        for window in pending.keys.sorted() {
            written += pending[window]?.filter { $0.id == id && (whole || !$0.isSaved) } ?? []
        }
        writer.writeCount(written.count)
        var rows = 0
        for contribution in written {
            encode(contribution, to: &writer)
            rows += contribution.keys.count
        }
        return rows
    }

    /// An epoch has everything of these partitions.
    func noteSaved(_ ids: Set<PartitionID>) {
        for id in ids { removedSaved[id] = nil }
        for window in pending.keys {
            pending[window] = pending[window]?.map { contribution in
                var saved = contribution
                if ids.contains(contribution.id) { saved.isSaved = true }
                return saved
            }
        }
    }

    /// Forgets what waits of a partition that is read elsewhere from now on, or from its checkpoint again.
    func drop(_ id: PartitionID) {
        for window in Array(pending.keys) {
            pending[window]?.removeAll { $0.id == id }
            if pending[window]?.isEmpty == true { pending[window] = nil }
        }
        removedSaved[id] = nil
        anomalies?.drop(.partition(id))
        disown(id)
    }

    private func encode(_ contribution: Contribution, to writer: inout ByteWriter) {
        let partial = contribution.partial
        writer.write(partial.window)
        writer.write(UInt8(contribution.isNew ? 1 : 0))
        writer.writeCount(contribution.keys.count)
        for key in contribution.keys { writer.write(keys.key(key)) }
        let places = partial.indexedByGroup ? partial.groups : partial.groups.indices.map { UInt32($0) }
        places.withUnsafeBufferPointer { places in
            for column in partial.columns { column.encode(places, to: &writer) }
        }
        let changed = Set(partial.changed)
        writer.writeAscending(partial.groups.indices.filter { changed.contains(partial.groups[$0]) }.map { UInt32($0) })
        var placeOfKey: [UInt32: Int] = [:]
        for (place, key) in contribution.keys.enumerated() { placeOfKey[key] = place }
        for panes in contribution.logs {
            writer.writeCount(panes.count)
            for pane in panes { encode(pane, placeOfKey, to: &writer) }
        }
    }

    private func encode(_ pane: PaneSamples, _ placeOfKey: [UInt32: Int], to writer: inout ByteWriter) {
        writer.writeCount(pane.series.count)
        var run = SampleRun()
        for (entry, index) in pane.series.enumerated() {
            let known = series.keys[Int(index)]
            // A series whose group has no row here (its samples count all the same) names its key by itself.
            writer.writeCount(placeOfKey[known.key].map { $0 + 1 } ?? 0)
            if placeOfKey[known.key] == nil { writer.write(keys.key(known.key)) }
            writer.write(known.labels)
            let (times, values) = pane.samples.samples(entry)
            run.append(
                ArraySlice(repeating: UInt32(entry), count: times.count), ArraySlice(times), ArraySlice(values))
        }
        run.encode(to: &writer)
    }

    /// Applies what `encodePending` wrote.
    func decodePending(_ id: PartitionID, from reader: inout ByteReader) throws {
        for _ in 0..<(try reader.readCount(bytesEach: 8)) {
            let window: Int64 = try reader.read()
            pending[window]?.removeAll { $0.id == id }
            if pending[window]?.isEmpty == true { pending[window] = nil }
        }
        for _ in 0..<(try reader.readCount(bytesEach: 10)) {
            insert(try decodeContribution(id, from: &reader), into: &pending)
        }
    }

    private func decodeContribution(_ id: PartitionID, from reader: inout ByteReader) throws -> Contribution {
        let window: Int64 = try reader.read()
        guard plan.window.holds(window: window) else { throw DecodingFailure("window \(window) lies outside of time") }
        let isNew = try reader.readFlag()
        var groupKeys: [UInt32] = []
        for _ in 0..<(try reader.readCount(bytesEach: 1)) {
            groupKeys.append(keys.index(of: try reader.readGroupKey()))
        }
        keys.touch(groupKeys, endMs: plan.window.endMs(window))
        try claim(groupKeys, for: id)
        let columns = plan.states.map { $0.kind.make() }
        for column in columns {
            column.grow(to: groupKeys.count)
            for place in groupKeys.indices { try column.decode(UInt32(place), from: &reader) }
        }
        let changed = try reader.readAscending(below: groupKeys.count)
        var logs: [[PaneSamples]] = []
        for _ in plan.logs {
            var panes: [PaneSamples] = []
            for _ in 0..<(try reader.readCount(bytesEach: 2)) {
                panes.append(try decodePane(groupKeys, endMs: plan.window.endMs(window), from: &reader))
            }
            logs.append(panes)
        }
        let partial = WindowPartial(
            window: window, groups: groupKeys.indices.map { UInt32($0) }, columns: columns, indexedByGroup: false,
            logs: [], changed: changed)
        return Contribution(id: id, partial: partial, keys: groupKeys, logs: logs, isNew: isNew, isSaved: true)
    }

    private func decodePane(
        _ groupKeys: [UInt32], endMs: Int64, from reader: inout ByteReader
    ) throws(DecodingFailure) -> PaneSamples {
        var ids: [UInt32] = []
        for _ in 0..<(try reader.readCount(bytesEach: 2)) {
            let place = try reader.readCount()
            guard place <= groupKeys.count else { throw DecodingFailure("key \(place) of \(groupKeys.count)") }
            let key = place > 0 ? groupKeys[place - 1] : keys.index(of: try reader.readGroupKey())
            ids.append(series.index(of: GroupedSeries(labels: try reader.readSeriesLabels(), key: key)))
        }
        series.touch(ids, endMs: endMs)
        let run = try SampleRun(from: &reader, seriesBound: ids.count)
        let samples = SortedSamples(
            after: nil, series: run.series[...], timestampsMs: run.timestampsMs[...], values: run.values[...])
        // Every series has a sample, or positions would not be those of `ids`.
        guard samples.series.count == ids.count else { throw DecodingFailure("a series without a sample") }
        return PaneSamples(samples: samples, series: ids)
    }
}
