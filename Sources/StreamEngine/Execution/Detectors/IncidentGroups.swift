import Platform

/// Incidents of many keys (`groupInto`): keys that share the named labels have one incident, which begins with the first
/// of them that fires and is over when the last has resolved.
struct IncidentGroups {
    /// One incident's keys together.
    struct Group {
        /// The labels that make it, in the order the job names them.
        let labels: DetectorKey
        /// Keys that are pending or firing, and those that fire.
        var active = 0
        var firing = 0
        /// Of `active`: keys that went back to normal in the window at hand. They count until its end, so that the order
        /// of keys does not decide whether a stretch goes on.
        var ended = 0
        /// Whether the incident was announced and is not over.
        var isOpen = false
        var severityShift: Int8 = 0
        /// The first flagged window of a stretch in which some key was active.
        var startedAtMs: Int64 = 0
        /// `Int64.min`: never.
        var resolvedAtMs = Int64.min
    }

    /// An incident that begins or ends.
    typealias Change = (group: Int, row: Int, change: AlertState.Change, startedAtMs: Int64)

    private let names: [ByteString]
    private(set) var groups: [Group] = []
    private var indexByLabels: [DetectorKey: Int] = [:]
    /// The group of each key.
    private(set) var groupOfKey: [Int] = []
    /// Groups with a key that is active or changed in this window, in the order met, and the row that stands for each.
    private(set) var touched: [(group: Int, row: Int)] = []
    private var placeInTouched: [Int: Int] = [:]

    init(_ names: [String]) { self.names = names.map { ByteString($0) } }

    mutating func addKey(_ key: DetectorKey) {
        let labels = DetectorKey(labels: names.compactMap { name in key.value(of: name).map { Label(name, $0) } })
        if let known = indexByLabels[labels] {
            groupOfKey.append(known)
        } else {
            indexByLabels[labels] = groups.count
            groupOfKey.append(groups.count)
            groups.append(Group(labels: labels))
        }
    }

    /// Notes what a window did to a key. The row with the highest score stands for the group.
    mutating func note(
        key: UInt32, row: Int, before: AlertState.Phase, after: AlertState, endMs: Int64, isWorse: (Int, Int) -> Bool
    ) {
        let index = groupOfKey[Int(key)]
        if before == .normal, after.phase != .normal {
            if groups[index].active == 0 { groups[index].startedAtMs = after.activeSinceMs }
            groups[index].active += 1
        } else if before != .normal, after.phase == .normal {
            groups[index].ended += 1
        }
        if before != .firing, after.phase == .firing { groups[index].firing += 1 }
        if before == .firing, after.phase != .firing { groups[index].firing -= 1 }
        if let place = placeInTouched[index] {
            if isWorse(row, touched[place].row) { touched[place].row = row }
        } else {
            placeInTouched[index] = touched.count
            touched.append((index, row))
        }
    }

    /// The incidents that begin or end with this window, once every key was noted.
    mutating func finish(endMs: Int64, cooldownMs: Int64) -> [Change] {
        var changes: [Change] = []
        for (index, row) in touched {
            groups[index].active -= groups[index].ended
            groups[index].ended = 0
            let isCool =
                groups[index].resolvedAtMs == .min
                || EventTime.difference(endMs, groups[index].resolvedAtMs) >= cooldownMs
            if groups[index].firing > 0, !groups[index].isOpen, isCool {
                groups[index].isOpen = true
                changes.append((index, row, .fires, groups[index].startedAtMs))
            } else if groups[index].firing == 0, groups[index].isOpen {
                groups[index].isOpen = false
                groups[index].resolvedAtMs = endMs
                changes.append((index, row, .resolves, groups[index].startedAtMs))
                // Keys that are flagged but do not fire yet may begin the next incident, which has a name of its own.
                groups[index].startedAtMs = endMs
            }
        }
        touched.removeAll(keepingCapacity: true)
        placeInTouched.removeAll(keepingCapacity: true)
        return changes
    }

    /// Sets how events moved an incident's severity.
    mutating func setSeverityShift(_ shift: Int8, group: Int) { groups[group].severityShift = shift }

    /// Forgets keys; a group goes with its last key.
    mutating func forget(_ newIndex: [UInt32]) {
        var kept: [Int] = []
        for (old, new) in newIndex.enumerated() where new != .max { kept.append(groupOfKey[old]) }
        let used = Set(kept)
        var newGroup = [Int](repeating: 0, count: groups.count)
        var remaining: [Group] = []
        for index in groups.indices where used.contains(index) {
            newGroup[index] = remaining.count
            remaining.append(groups[index])
        }
        groups = remaining
        groupOfKey = kept.map { newGroup[$0] }
        indexByLabels = Dictionary(uniqueKeysWithValues: groups.enumerated().map { ($1.labels, $0) })
    }

    /// Writes what the keys do not tell; groups stand in the order in which their keys came.
    func encode(to writer: inout ByteWriter) {
        for group in groups {
            writer.write(group.isOpen ? UInt8(1) : 0)
            writer.write(group.severityShift)
            writer.write(group.startedAtMs)
            writer.write(group.resolvedAtMs)
        }
    }

    /// Reads it back, once every key was added; `alerts` are theirs.
    mutating func decode(from reader: inout ByteReader, alerts: [AlertState]) throws(DecodingFailure) {
        for index in groups.indices {
            groups[index].isOpen = try reader.readFlag()
            groups[index].severityShift = try reader.read()
            groups[index].startedAtMs = try reader.read()
            groups[index].resolvedAtMs = try reader.read()
        }
        for (key, alert) in alerts.enumerated() {
            if alert.phase != .normal { groups[groupOfKey[key]].active += 1 }
            if alert.phase == .firing { groups[groupOfKey[key]].firing += 1 }
        }
    }
}
