import CLinux
import Glibc

/// A client's connection. One request is answered at a time and in order, as Kafka does; what comes meanwhile waits.
final class Connection {
    /// Requests, and bytes of them, read ahead before the socket is left unread.
    private static let maxReady = 8
    private static let maxReadyBytes = 16 << 20

    let descriptor: Int32
    let token: UInt64
    private let host: String
    private unowned let loop: EventLoop
    private var sizeBytes: [UInt8] = []
    private var frame: FrameBuffer?
    private var frameSize = 0
    private var ready: [FrameBuffer] = []
    private var isBusy = false
    private var isProcessing = false
    private var output: [WireOutput.Piece] = []
    private var outputIndex = 0
    private var outputOffset = 0
    private var watches = (reads: true, writes: false)
    private(set) var isClosed = false

    init(descriptor: Int32, token: UInt64, host: String, loop: EventLoop) {
        self.descriptor = descriptor
        self.token = token
        self.host = host
        self.loop = loop
    }

    deinit { Glibc.close(descriptor) }

    /// Ends the connection; what it waits for is answered to nobody.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        shutdown(descriptor, Int32(SHUT_RDWR))
        loop.forget(self)
    }

    // MARK: Reading

    /// Whether it reads ahead now; else only its answers are waited for.
    var isReading: Bool { watches.reads }

    private var hasRoom: Bool {
        ready.count < Self.maxReady && ready.reduce(0) { $0 + $1.count } < Self.maxReadyBytes
    }

    /// Takes in what has arrived, a bounded part at a time so that no client keeps the loop to itself.
    func readable() {
        for _ in 0..<4 where !isClosed && hasRoom {
            let received: Int
            if let frame, frameSize - frame.count > 32 << 10 {
                received = frame.appendDirectly(limit: frameSize - frame.count) { recv(descriptor, $0, $1, 0) }
                if frame.count == frameSize { finishFrame(frame) }
            } else {
                let scratch = loop.scratch
                received = recv(descriptor, scratch.baseAddress, scratch.count, 0)
                if received > 0 { take(UnsafeRawBufferPointer(rebasing: scratch[..<received])) }
            }
            if received < 0 && (errno == EAGAIN || errno == EINTR) { break }
            if received <= 0 { return close() }
        }
        if frame != nil || !sizeBytes.isEmpty { acknowledgeAtOnce() }
        process()
    }

    /// A client that sends a request in pieces and has Nagle's algorithm on (librdkafka's default) keeps the last piece until
    /// the ones before are acknowledged; without this the kernel would take up to 40 ms for that, as no answer goes out.
    private func acknowledgeAtOnce() {
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, &yes, socklen_t(MemoryLayout<Int32>.size))
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        var at = 0
        while at < bytes.count && !isClosed {
            if let frame {
                let count = min(bytes.count - at, frameSize - frame.count)
                frame.append(UnsafeRawBufferPointer(rebasing: bytes[at..<at + count]))
                at += count
                if frame.count == frameSize { finishFrame(frame) }
                continue
            }
            sizeBytes.append(bytes[at])
            at += 1
            guard sizeBytes.count == 4 else { continue }
            let size = sizeBytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            sizeBytes = []
            guard size >= 8, Int(size) <= loop.maxRequestBytes else { return close() }
            frameSize = Int(size)
            frame = FrameBuffer(capacity: min(frameSize, 16 << 10))
        }
    }

    private func finishFrame(_ whole: FrameBuffer) {
        ready.append(whole)
        frame = nil
    }

    // MARK: Answering

    private func process() {
        guard !isProcessing else { return }
        isProcessing = true
        while !isBusy, !isClosed, output.isEmpty, !ready.isEmpty {
            let next = ready.removeFirst()
            isBusy = true
            loop.cluster.receive(next, clientHost: host) { [weak self] outcome in self?.finish(outcome) }
        }
        isProcessing = false
        watch()
    }

    private func finish(_ outcome: Exchange.Outcome) {
        guard !isClosed else { return }
        isBusy = false
        switch outcome {
        case .respond(let response):
            output.append(contentsOf: response.framed())
            flush()
        case .nothing: break
        case .disconnect: return close()
        }
        // Not at once: an answer to this client may come amid another's request, and so on through all connections.
        if !isProcessing { loop.resume(self) }
    }

    /// Goes on with the requests that are waiting.
    func resume() { process() }

    /// The socket takes more.
    func writable() {
        flush()
        process()
    }

    private func flush() {
        while !isClosed, outputIndex < output.count {
            let piece = output[outputIndex]
            let sent: Int
            switch piece {
            case .bytes(let bytes):
                let flags = Int32(MSG_NOSIGNAL) | (outputIndex + 1 < output.count ? Int32(MSG_MORE) : 0)
                sent = bytes.withUnsafeBytes { all in
                    guard let base = all.baseAddress else { return 0 }
                    return send(descriptor, base + outputOffset, all.count - outputOffset, flags)
                }
            case .region(let region):
                var position = off_t(region.position + outputOffset)
                sent = linux_sendfile(descriptor, region.file.descriptor, &position, region.length - outputOffset)
            }
            if sent < 0 && errno == EINTR { continue }
            if sent < 0 && errno == EAGAIN { return watch() }
            guard sent > 0 || piece.length == 0 else { return close() }
            outputOffset += sent
            if outputOffset == piece.length {
                outputIndex += 1
                outputOffset = 0
            }
        }
        output.removeAll(keepingCapacity: true)
        outputIndex = 0
    }

    private func watch() {
        guard !isClosed else { return }
        let wanted = (reads: hasRoom, writes: !output.isEmpty)
        guard wanted != watches else { return }
        watches = wanted
        loop.watch(self, reads: wanted.reads, writes: wanted.writes)
    }
}
