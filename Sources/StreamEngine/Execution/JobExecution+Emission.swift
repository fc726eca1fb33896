import Platform

extension JobExecution {
    func info(query: String, watermarkMs: Int64?) -> EmissionInfo {
        EmissionInfo(job: job.definition.name, query: query, epoch: token, watermarkMs: watermarkMs)
    }

    private func write(_ rows: RowBatch, query index: Int, _ source: SourceExecution) throws {
        lastWork.rows += rows.rowCount
        if let closingRecordMs { latency.wrote(rows: rows.rowCount, recordMs: closingRecordMs) }
        let info = info(query: job.queries[index].name, watermarkMs: source.watermarkMs)
        for sink in outputs.queries[index].sinks { try sink.write(rows, info) }
    }

    /// Emits what is closed; with `trigger` also the rows of update and complete mode.
    func emit(trigger: Bool) throws {
        try gather()
        try show(trigger: trigger)
    }

    /// Takes from the partitions what is closed, and what came late: they may go on while it is shown.
    func gather() throws {
        passEvents()
        for source in sources {
            try source.gather()
            takeLate(source)
            source.noteSideFrontier()
            // What a checkpoint is to hold stays.
            guard replayCheckpoint == nil else { continue }
            let retired = source.tasks.filter { $0.retireIfDone() }
            // The next file's state takes the place of this one's, wherever that lay.
            if !retired.isEmpty, !source.allEnded { ProcessMemory.trim() }
        }
    }

    /// Emits what was gathered. With `trigger` the partitions stand still.
    func show(trigger: Bool = false) throws {
        for source in sources {
            closingRecordMs = isLive && !trigger ? source.closingRecordMs : nil
            try source.show(trigger: trigger) {
                try write($1, query: $0, source)
            } afterWindow: {
                try writeFindings($1, query: $0, source)
            }
            closingRecordMs = nil
            try writeSide(source)
        }
        try releaseFindings()
    }

    /// Partition-local queries of a live run.
    func emitLocal() throws {
        for source in sources {
            closingRecordMs = source.closingRecordOfAnyMs
            try source.emitLocal {
                try write($1, query: $0, source)
            } afterWindow: {
                try writeFindings($1, query: $0, source)
            }
            closingRecordMs = nil
        }
        try releaseFindings()
    }

    /// The end of input closes what is left.
    func emitAtEnd(keepOpen: Bool) throws {
        for source in sources {
            try source.emitAtEnd(keepOpen: keepOpen) {
                try write($1, query: $0, source)
            } afterWindow: {
                try writeFindings($1, query: $0, source)
            }
            takeLate(source)
            try writeSide(source, isOver: true)
        }
        try releaseFindings()
    }

    private func takeLate(_ source: SourceExecution) {
        for (place, entry) in source.emitters.enumerated() {
            guard let sink = outputs.queries[entry.index].late else { continue }
            let query = entry.emitter.plan.name
            for task in source.tasks {
                let late = task.operators[place].takeLate()
                source.side.append(
                    late.map { sample in
                        // The partition's watermark when it came.
                        let watermarkMs = sample.windowEndMs + entry.emitter.plan.latenessMs + sample.latenessMs
                        return SideRow(
                            watermarkMs: watermarkMs, partition: task.id, offset: sample.offset, line: sample.line,
                            query: entry.index, sink: sink, document: outputs.encodeLate(query, task.id, sample))
                    })
            }
        }
    }

    /// Writes late samples and dead letters: in a live run all of them, with the epoch that has their offsets; in a replay
    /// those that nothing can come before any more (all, where it `isOver`), in an order that depends on the records alone.
    func writeSide(_ source: SourceExecution, isOver: Bool = false) throws {
        let ready = isLive ? source.side.takeAll() : source.side.take(through: isOver ? nil : source.sideFrontier)
        for run in SideRow.runs(ready) {
            guard let first = run.first else { continue }
            let query = first.query < 0 ? "" : job.queries[first.query].name
            try first.sink.write(
                DocumentBatch(documents: run.map(\.document)), info(query: query, watermarkMs: first.watermarkMs))
        }
    }
}
