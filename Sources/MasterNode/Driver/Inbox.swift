internal import Synchronization

/// The queue in front of a driver: many producers, one consumer, one bound.
///
/// A producer that carries work in waits for room with ``reserve()`` and then puts its element, so a master that is
/// behind slows its callers down and holds no more than `capacity` elements. Notices that must not wait (a stream has
/// ended) go in by ``notify(_:)``; there is at most one of them per open stream, so they are bounded too.
final class Inbox<Element: Sendable>: Sendable {
    /// Nobody reads the inbox any more.
    struct Closed: Error {}

    private struct Slot {
        var element: Element
        /// Whether room was reserved for it; notices have none.
        var hasRoom: Bool
    }

    private struct State {
        var elements: [Slot] = []
        var reserved = 0
        var isWoken = false
        var isClosed = false
        var consumer: CheckedContinuation<Void, Never>?
        var producers: [CheckedContinuation<Bool, Never>] = []
        var nextProducer = 0
    }

    private let state = Mutex(State())
    private let capacity: Int

    init(capacity: Int) { self.capacity = max(1, capacity) }

    /// Waits for room for one element.
    ///
    /// - Throws: ``Closed`` when nobody will read it.
    func reserve() async throws {
        let isOpen = await withCheckedContinuation { continuation in
            let answer: Bool? = state.withLock { state in
                if state.isClosed { return false }
                if state.reserved < capacity {
                    state.reserved += 1
                    return true
                }
                state.producers.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
        if !isOpen { throw Closed() }
    }

    /// Puts an element for which room was reserved.
    ///
    /// - Returns: false when the inbox was closed meanwhile; the element was not taken.
    func put(_ element: Element) -> Bool { append(Slot(element: element, hasRoom: true)) }

    /// Puts an element that cannot wait; see the type.
    @discardableResult
    func notify(_ element: Element) -> Bool { append(Slot(element: element, hasRoom: false)) }

    /// Makes the consumer look up although nothing came.
    func wake() {
        state.withLock { state in
            state.isWoken = true
            return state.consumer.take()
        }?.resume()
    }

    /// Waits until there is something to do and takes up to that many elements, oldest first; empty after a wake.
    ///
    /// - Returns: nil once the inbox is closed.
    func take(upTo limit: Int) async -> [Element]? {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if !state.elements.isEmpty || state.isWoken || state.isClosed { return true }
                state.consumer = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
        let (taken, released) = state.withLock { state -> ([Slot]?, [CheckedContinuation<Bool, Never>]) in
            state.isWoken = false
            if state.isClosed { return (nil, []) }
            let taken: [Slot]
            if state.elements.count <= limit {
                taken = state.elements
                state.elements = []
            } else {
                taken = Array(state.elements.prefix(limit))
                state.elements.removeFirst(limit)
            }
            let counted = taken.reduce(0) { $0 + ($1.hasRoom ? 1 : 0) }
            return (taken, Self.release(counted, in: &state, capacity: capacity))
        }
        for producer in released { producer.resume(returning: true) }
        return taken?.map(\.element)
    }

    /// Ends the inbox: producers that wait are turned away, the consumer gets nil and then drains what is left.
    func close() {
        let (producers, consumer) = state.withLock { state in
            state.isClosed = true
            let producers = Array(state.producers[state.nextProducer...])
            state.producers = []
            state.nextProducer = 0
            return (producers, state.consumer.take())
        }
        consumer?.resume()
        for producer in producers { producer.resume(returning: false) }
    }

    /// What nobody will read any more, so that it can be refused; for the consumer, after the end.
    func drain() -> [Element] {
        state.withLock { state in
            let left = state.elements
            state.elements = []
            return left.map(\.element)
        }
    }

    /// How many elements wait.
    var count: Int { state.withLock { $0.elements.count } }

    private func append(_ slot: Slot) -> Bool {
        let (isTaken, consumer) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
            if state.isClosed { return (false, nil) }
            state.elements.append(slot)
            return (true, state.consumer.take())
        }
        consumer?.resume()
        return isTaken
    }

    /// Gives the room of taken elements to producers that wait, first come, first served.
    private static func release(
        _ count: Int, in state: inout State, capacity: Int
    ) -> [CheckedContinuation<Bool, Never>] {
        state.reserved = max(0, state.reserved - count)
        var released: [CheckedContinuation<Bool, Never>] = []
        while state.reserved < capacity, state.nextProducer < state.producers.count {
            released.append(state.producers[state.nextProducer])
            state.nextProducer += 1
            state.reserved += 1
        }
        if state.nextProducer == state.producers.count {
            state.producers = []
            state.nextProducer = 0
        }
        return released
    }
}
