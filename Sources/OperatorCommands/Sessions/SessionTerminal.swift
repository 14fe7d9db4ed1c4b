internal import Appliance
internal import ArgumentParser
internal import Dispatch
internal import HTTPGateway
internal import LinuxSystem
internal import NIOCore
internal import Synchronization

/// One person's side of a session: keys and bytes go there, what comes back is written here.
final class SessionTerminal: Sendable {
    private let session: SessionClient
    private let input: LocalInput
    private let queue = DispatchQueue(label: "rondo.input")
    private let state: Mutex<State>

    private struct State {
        var hasBegun = false
        var isOver = false
        var keys: DetachKeys?
        var isDetached = false
    }

    /// - Parameters:
    ///   - session: where to.
    ///   - keys: what is to be typed to leave it; none without a terminal.
    /// - Throws: `SystemError`.
    init(_ session: SessionClient, keys: DetachKeys?) throws {
        self.session = session
        input = try LocalInput()
        state = Mutex(State(keys: keys))
    }

    var isDetached: Bool { state.withLock { $0.isDetached } }

    /// Carries everything both ways until the command has ended or was left.
    ///
    /// - Parameters:
    ///   - body: what the command writes.
    ///   - isInteractive: whether input goes there; if not, the command's ends at once.
    ///   - hasTerminal: whether the command has a terminal.
    /// - Returns: how it ended.
    /// - Throws: what the master says, or that a connection broke.
    func run(_ body: GatewayBody, isInteractive: Bool, hasTerminal: Bool) async throws -> SessionClient.End {
        if hasTerminal, isInteractive { _ = input.makeRaw() }
        defer { input.restore() }
        let sending = Task {
            try await session.send(self.records(isInteractive: isInteractive, hasTerminal: hasTerminal))
        }
        defer {
            input.stop()
            sending.cancel()
        }
        let reading = Task { try await self.watch(body) }
        // Leaving ends the reading, since the command may say nothing for hours; so does a refusal of the input.
        let watching = Task { () -> ApplianceError? in
            var refusal: ApplianceError?
            do { try await sending.value } catch { refusal = error as? ApplianceError }
            if self.isDetached || refusal != nil { reading.cancel() }
            return refusal
        }
        defer { watching.cancel() }
        do { try await reading.value } catch {
            if reading.isCancelled, let refusal = await watching.value { throw refusal }
            guard isDetached else { throw error }
        }
        if isDetached { return .detached }
        input.stop()
        return .ended(waitStatus: try await session.wait())
    }

    /// Writes what comes until it ends.
    func watch(_ body: GatewayBody) async throws {
        try await session.read(body) { bytes, isError in
            if !Console.write(bytes: bytes, to: isError ? 2 : 1) { throw ArgumentParser.ExitCode(141) }
        }
    }

    /// The input as the body of a request.
    private func records(isInteractive: Bool, hasTerminal: Bool) -> GatewayBody {
        GatewayBody { [self] in
            let isFirst = state.withLock { state in
                defer { state.hasBegun = true }
                return !state.hasBegun
            }
            if isFirst {
                var head = try session.inputHead()
                // Without input the command's ends at once; a terminal has none that could end.
                if !isInteractive, !hasTerminal { head.writeImmutableBuffer(try session.input([])) }
                if hasTerminal, let size = TerminalSize(of: 0) { head.writeImmutableBuffer(try session.resize(size)) }
                return head
            }
            if !isInteractive, !hasTerminal { return nil }
            return try await next(readsInput: isInteractive)
        }
    }

    private func next(readsInput: Bool) async throws -> ByteBuffer? {
        while !state.withLock({ $0.isOver }) {
            let wantsBytes = readsInput
            let event = await withCheckedContinuation { waiting in
                queue.async { [input] in waiting.resume(returning: input.next(readsInput: wantsBytes)) }
            }
            switch event {
            case .stopped: return nil
            case .end:
                state.withLock { $0.isOver = true }
                // A task goes on without the one who has typed.
                return session.id == nil ? nil : try session.input([])
            case .resized(let size): return try session.resize(size)
            case .bytes(let bytes):
                let (passed, isComplete) = state.withLock { state -> ([UInt8], Bool) in
                    state.keys?.filter(bytes) ?? (bytes, false)
                }
                if isComplete {
                    try await session.detach()
                    state.withLock { state in
                        state.isDetached = true
                        state.isOver = true
                    }
                }
                if !passed.isEmpty { return try session.input(passed) }
            }
        }
        return nil
    }
}
