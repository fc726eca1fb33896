import Platform

/// Checkpoints of one source's partitions and of what they share.
extension SourceExecution {
    /// Whether a partition changed since its last section.
    func isDirty(_ task: PartitionTask) -> Bool {
        guard let saved = savedFrozen[task.id], task.checkpoint?.isDirty == false else { return true }
        return emitters.indices.contains { place in
            task.operators[place].frozenThrough != saved[place]
                || emitters[place].emitter.hasUnsavedPending(task.id)
                || emitters[place].emitter.anomalies?.hasChanged(.partition(task.id)) ?? false
        }
    }

    /// What changed of a partition. It is written whole where it has no section before, or where changes come to about as
    /// much as all there is.
    ///
    /// Reads what belongs to the partition, and of the emitters what waits of it: sections of different partitions may
    /// be made on different threads between two barriers.
    func section(of task: PartitionTask, parent: EpochToken?) -> PartitionSection {
        var unsaved = task.checkpoint?.last == nil ? 0 : 1
        var all = 1
        for (place, entry) in emitters.enumerated() {
            unsaved += task.operators[place].unsavedRows + entry.emitter.pendingRows(task.id, unsavedOnly: true)
            all += task.operators[place].stateRows + entry.emitter.pendingRows(task.id, unsavedOnly: false)
        }
        // Series count as much as groups do; they change with every sample.
        all += task.series.seriesCount
        let isWhole = parent == nil || unsaved * 2 >= all
        var blocks: [StateBlock] = []
        var writer = ByteWriter()
        var rows = task.encodeState(whole: isWhole, to: &writer)
        blocks.append(StateBlock(id: .task(task.id), isWhole: isWhole, bytes: writer.bytes, rows: rows))
        for (place, entry) in emitters.enumerated() {
            var writer = ByteWriter()
            rows = task.operators[place].encodeState(whole: isWhole, to: &writer)
            rows += entry.emitter.encodePending(task.id, whole: isWhole, to: &writer)
            blocks.append(
                StateBlock(
                    id: .windows(query: entry.emitter.plan.name, task.id), isWhole: isWhole, bytes: writer.bytes,
                    rows: rows))
            guard let anomalies = entry.emitter.anomalies, anomalies.has(.partition(task.id)) else { continue }
            if let block = anomalies.block(of: task.id, always: isWhole) { blocks.append(block) }
        }
        return PartitionSection(partition: task.id, parent: isWhole ? nil : parent, blocks: blocks)
    }

    /// Sections of these partitions were written.
    func noteSaved(_ ids: Set<PartitionID>) {
        for entry in emitters { entry.emitter.noteSaved(ids) }
        for task in tasks where ids.contains(task.id) { savedFrozen[task.id] = task.operators.map(\.frozenThrough) }
    }

    /// Applies a partition's blocks to a task that has processed nothing. A query the checkpoint does not know starts
    /// empty.
    func restore(_ task: PartitionTask, _ blocks: [StateBlock]) throws {
        try restoreShared(task, try restoreOwn(task, blocks))
    }

    /// What is left to read of a partition's blocks: what belongs to the coordinator.
    enum RestoredBlock {
        /// What waits of a query's windows, behind the windows themselves.
        case pending(place: Int, ByteReader)
        case detectors(StateBlock)
    }

    /// The part that belongs to the task alone: different tasks may be restored on different threads.
    func restoreOwn(_ task: PartitionTask, _ blocks: [StateBlock]) throws(DecodingFailure) -> [RestoredBlock] {
        var rest: [RestoredBlock] = []
        for block in blocks {
            var reader = ByteReader(block.bytes)
            switch block.id {
            case .task(task.id):
                try task.decodeState(from: &reader)
                guard reader.isAtEnd else { throw DecodingFailure("\(reader.remaining) bytes too many") }
            case .windows(let query, task.id):
                guard let place = emitters.firstIndex(where: { $0.emitter.plan.name == query }) else { continue }
                try task.operators[place].decodeState(from: &reader)
                rest.append(.pending(place: place, reader))
            case .detectors(_, task.id): rest.append(.detectors(block))
            default: continue
            }
        }
        task.finishDecodingState()
        return rest
    }

    /// The part that belongs to the coordinator.
    func restoreShared(_ task: PartitionTask, _ rest: [RestoredBlock]) throws {
        for block in rest {
            var reader: ByteReader
            switch block {
            case .pending(let place, let behind):
                reader = behind
                try emitters[place].emitter.decodePending(task.id, from: &reader)
            case .detectors(let block):
                guard case .detectors(let query, _) = block.id,
                    let emitter = emitters.first(where: { $0.emitter.plan.name == query })?.emitter,
                    let anomalies = emitter.anomalies
                else { continue }
                reader = ByteReader(block.bytes)
                try anomalies.decodeState(of: .partition(task.id), from: &reader, nowMs: emitter.wallMs())
            }
            guard reader.isAtEnd else { throw DecodingFailure("\(reader.remaining) bytes too many") }
        }
        savedFrozen[task.id] = task.operators.map(\.frozenThrough)
    }

    /// Forgets partitions that are read elsewhere from now on (their ledgers stay in the summary), or again from their
    /// checkpoint.
    func drop(_ ids: Set<PartitionID>, goElsewhere: Bool) {
        if goElsewhere {
            park(ids)
            for task in parked { task.shed() }
        } else {
            remove(ids)
        }
        for id in ids {
            savedFrozen[id] = nil
            lastArrivalMs[id] = nil
            for entry in emitters { entry.emitter.drop(id) }
        }
        allIdleSince = nil
    }

    /// What a source knows while it has no partition.
    func forgetShared() {
        resetWatermark()
        for entry in emitters { entry.emitter.forgetShared() }
    }

    // MARK: What partitions share

    /// The watermark, which partitions are idle and since when all of them are.
    ///
    ///     watermark           0, or 1 and 8 bytes
    ///     windows that only the end of input closed
    ///     idle partitions     count, then source, topic, number of each
    ///     since all are idle  0, or 1, then the watermark and the wall clock (8 bytes each)
    func encodeShared() -> [UInt8] {
        var writer = ByteWriter()
        writer.writeOptional(watermarkMs)
        writer.writeCount(closedByEnd)
        let still = tasks.map(\.id).filter { isIdle($0) }
        writer.writeCount(still.count)
        for id in still { writer.write(id) }
        writer.write(UInt8(allIdleSince == nil ? 0 : 1))
        if let allIdleSince {
            writer.write(allIdleSince.watermarkMs)
            writer.write(allIdleSince.arrivalMs)
        }
        return writer.bytes
    }

    /// What `encodeShared` wrote.
    struct Shared {
        var watermarkMs: Int64?
        var closedByEnd: Int
        var idle: Set<PartitionID> = []
        var allIdleSince: (watermarkMs: Int64, arrivalMs: Int64)?

        init(_ bytes: [UInt8]) throws(DecodingFailure) {
            var reader = ByteReader(bytes)
            watermarkMs = try reader.readOptional()
            closedByEnd = try reader.readCount()
            for _ in 0..<(try reader.readCount(bytesEach: 6)) { idle.insert(try reader.readPartitionID()) }
            if try reader.readFlag() { allIdleSince = (try reader.read(), try reader.read()) }
            guard reader.isAtEnd else { throw DecodingFailure("\(reader.remaining) bytes too many") }
        }
    }

    /// Takes what `encodeShared` wrote. The partitions themselves come after.
    func decodeShared(_ bytes: [UInt8]) throws(DecodingFailure) {
        let shared = try Shared(bytes)
        if let watermarkMs = shared.watermarkMs { raiseWatermark(to: watermarkMs) }
        closedByEnd = shared.closedByEnd
        for id in shared.idle { setIdle(id, true) }
        allIdleSince = shared.allIdleSince
    }
}

extension QueryEmitter {
    /// As before the first window.
    func forgetShared() {
        emittedThrough = nil
        lastForgottenMs = .min
        anomalies?.drop(.query)
    }

    /// What belongs to the whole query: the newest window emitted and when keys were forgotten (0, or 1 and 8 bytes; 8
    /// bytes), rows so far, its detectors (length-prefixed, empty without any).
    func encodeShared() -> [UInt8] {
        var writer = ByteWriter()
        writer.writeOptional(emittedThrough)
        writer.write(lastForgottenMs)
        writer.writeCount(rowsOut)
        writer.write(lengthPrefixed: anomalies?.sharedState() ?? [])
        return writer.bytes
    }

    /// Takes what `encodeShared` wrote.
    func decodeShared(_ bytes: [UInt8]) throws(DecodingFailure) {
        var reader = ByteReader(bytes)
        emittedThrough = try reader.readOptional()
        lastForgottenMs = try reader.read()
        rowsOut = try reader.readCount()
        var detectors = ByteReader(try reader.readLengthPrefixed())
        if let anomalies, !detectors.isAtEnd {
            try anomalies.decodeState(of: .query, from: &detectors, nowMs: wallMs())
        }
        guard reader.isAtEnd else { throw DecodingFailure("\(reader.remaining) bytes too many") }
    }
}
