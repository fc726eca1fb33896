import StreamEngine

/// Follows the bounds of a chunk's pages, and with them the chunk's own and the order of the pages.
struct ParquetChunkBounds {
    private let column: ParquetColumnBuffer
    private var order64 = Order<Int64>()
    private var orderDouble = Order<Double>()
    private var orderText = Order<ByteString>()
    private var orderBoolean = Order<Int64>()

    /// Bounds of the whole, and whether those of the parts only rise or only fall.
    private struct Order<T: Comparable> {
        var whole: (min: T, max: T)?
        private var last: (min: T, max: T)?
        var isAscending = true
        var isDescending = true

        init() {}

        mutating func add(_ bounds: (min: T, max: T)) {
            if let last {
                if bounds.min < last.min || bounds.max < last.max { isAscending = false }
                if bounds.min > last.min || bounds.max > last.max { isDescending = false }
            }
            last = bounds
            whole = whole.map { (Swift.min($0.min, bounds.min), Swift.max($0.max, bounds.max)) } ?? bounds
        }

        var order: ParquetBoundaryOrder { isAscending ? .ascending : isDescending ? .descending : .unordered }
    }

    init(_ column: ParquetColumnBuffer) { self.column = column }

    /// The bounds of a page's values; nil where it has none, or only NaN.
    mutating func add(_ range: Range<Int>) -> ParquetBounds? {
        guard !range.isEmpty else { return nil }
        switch column.type {
        case .timestamp, .int64:
            let bounds = column.integers.withUnsafeBufferPointer { ParquetBounds.of(.init(rebasing: $0[range])) }
            guard let bounds else { return nil }
            order64.add(bounds)
            return ParquetBounds(bounds)
        case .double:
            let bounds = column.doubles.withUnsafeBufferPointer { ParquetBounds.of(.init(rebasing: $0[range])) }
            guard let bounds else { return nil }
            orderDouble.add(bounds)
            return ParquetBounds(bounds)
        case .boolean:
            let min = !column.booleans[range].contains(false)
            let max = column.booleans[range].contains(true)
            orderBoolean.add((min ? 1 : 0, max ? 1 : 0))
            return ParquetBounds((min: min, max: max))
        case .text:
            // Texts repeat: their codes are gone through once, and each text is compared once.
            var isMet = [Bool](repeating: false, count: column.texts.count)
            for code in column.codes[range] { isMet[Int(code)] = true }
            var bounds: (min: ByteString, max: ByteString)?
            for (code, isMet) in isMet.enumerated() where isMet {
                let text = column.texts[code]
                guard let (min, max) = bounds else {
                    bounds = (text, text)
                    continue
                }
                if text < min { bounds = (text, max) } else if text > max { bounds = (min, text) }
            }
            guard let bounds else { return nil }
            orderText.add(bounds)
            return ParquetBounds(bounds)
        }
    }

    /// What the pages so far say about the chunk.
    var statistics: ParquetStatistics {
        var statistics = ParquetStatistics()
        statistics.nullCount = Int64(column.nullCount)
        let bounds: ParquetBounds? =
            switch column.type {
            case .timestamp, .int64: order64.whole.map { ParquetBounds($0) }
            case .double:
                orderDouble.whole.map {
                    ParquetBounds((min: $0.min == 0 ? -0.0 : $0.min, max: $0.max == 0 ? 0.0 : $0.max))
                }
            case .boolean: orderBoolean.whole.map { ParquetBounds((min: $0.min == 1, max: $0.max == 1)) }
            case .text: orderText.whole.flatMap { ParquetBounds($0) }
            }
        if let bounds {
            statistics.minValue = bounds.min
            statistics.maxValue = bounds.max
            statistics.isMinExact = bounds.isMinExact
            statistics.isMaxExact = bounds.isMaxExact
        }
        return statistics
    }

    /// Whether the pages are ordered by their bounds; pages without any do not count.
    var order: ParquetBoundaryOrder {
        switch column.type {
        case .timestamp, .int64: order64.order
        case .double: orderDouble.order
        case .boolean: orderBoolean.order
        case .text: orderText.order
        }
    }
}
