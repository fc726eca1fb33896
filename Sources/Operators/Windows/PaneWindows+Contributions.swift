import StreamEngine

/// What a partition contributes to windows: frozen ones, and open ones as they stand.
extension PaneWindows {
    public var frozenBytes: (all: Int, older: Int) {
        func bytes(_ partial: WindowPartial) -> Int {
            partial.groups.count * 4 + partial.columns.reduce(0) { $0 + $1.byteCount }
        }
        let older = frozen.dropLast().reduce(0) { $0 + bytes($1) }
        return (older + (frozen.last.map(bytes) ?? 0), older)
    }

    /// Whether nothing frozen waits to be taken.
    var frozenIsTaken: Bool { frozen.isEmpty }

    public func takeFrozen() -> [WindowPartial] {
        defer { frozen = [] }
        return frozen
    }

    public func takeLate() -> [LateSample] {
        defer { late = [] }
        return late
    }

    public var newestOpenWindow: Int64? {
        guard let last = paneOrder.last else { return nil }
        return window.newestWindow(ofPane: last)
    }

    public var oldestOpenWindow: Int64? { oldestWindowWithData(from: frozenThrough.map { $0 + 1 } ?? .min) }

    public func snapshotOpen(all: Bool) -> [WindowPartial] {
        var windows: Set<Int64> = []
        for index in paneOrder {
            guard let pane = panes[index], all || !pane.changed.isEmpty else { continue }
            let oldest = max(window.oldestWindow(ofPane: index), frozenThrough.map { $0 + 1 } ?? .min)
            guard oldest <= pane.newestWindow else { continue }
            windows.formUnion(oldest...pane.newestWindow)
        }
        let partials = windows.sorted().map { partial(of: $0, closing: false) }
        for pane in panes.values { pane.clearChanged() }
        return partials
    }

    public var stateBytes: Int {
        panes.values.reduce(groups.byteCount + merger.byteCount) { $0 + $1.byteCount }
            + spareColumns.reduce((spareLone?.capacity ?? 0) * 8) { $0 + $1.reduce(0) { $0 + $1.byteCount } }
            + frozen.reduce(0) { $0 + $1.columns.reduce(0) { $0 + $1.byteCount } }
    }

    /// One window's contribution: its panes merged in time order.
    func partial(of number: Int64, closing: Bool) -> WindowPartial {
        let range = window.panes(of: number)
        var logs = plan.logs.map { _ in [(log: SampleLog, count: Int)]() }
        var changed: [UInt32] = []
        // Walking over a window's panes costs what size / slide is: only who needs each of them does.
        if plan.tracksChanges || !plan.logs.isEmpty {
            let places = firstPlace(ofPane: range.lowerBound)..<firstPlace(ofPane: range.upperBound)
            let open = paneOrder[places].compactMap { panes[$0] }
            logs = logs.indices.map { log in open.map { ($0.logs[log], $0.logs[log].count) } }
            if plan.tracksChanges {
                changed = open.count == 1 ? open[0].changed : Array(Set(open.flatMap { $0.changed }))
            }
        }
        if closing, window.panesPerWindow == 1, let pane = panes[range.lowerBound] {
            // The pane belongs to this window alone: it becomes the partial.
            return WindowPartial(
                window: number, groups: pane.groups, columns: pane.columns, indexedByGroup: true, logs: logs,
                changed: changed, newKeys: tell(pane.groups))
        }
        guard let run = merger.merge(range, pane: { panes[$0] }) else {
            return WindowPartial(
                window: number, groups: [], columns: plan.states.map { $0.kind.make() }, indexedByGroup: false,
                logs: logs, changed: changed)
        }
        // What waits for slower partitions takes no room for groups it has not.
        let isWide = run.groups.count * 2 >= groups.bound
        return WindowPartial(
            window: number, groups: run.groups, columns: isWide ? run.columns : run.compactColumns(),
            indexedByGroup: isWide, logs: logs, changed: changed,
            newKeys: closing ? tell(run.groups) : PackedKeys())
    }

    /// The keys that whoever takes a contribution of these groups does not know yet: written here, where partitions work side
    /// by side. Series of logs bring keys of their own, so there keys are asked for.
    private func tell(_ groups: [UInt32]) -> PackedKeys {
        plan.logs.isEmpty ? self.groups.tell(groups) : PackedKeys()
    }
}
