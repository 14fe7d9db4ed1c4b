internal import Deployments

/// What shall be looked at when its time comes. A key may be there more than once, or be of no concern any more: whoever
/// takes one looks at the state first.
struct TimerQueue: Sendable {
    enum Key: Hashable, Sendable {
        /// The instance is unreachable, is being ended, or is to run by now.
        case instance(InstanceID)
        /// A service's wait is over.
        case service(ServiceID)
        /// Tasks are asked for.
        case reconcile
        /// All tasks are asked for.
        case audit
        /// Offers may be asked for again.
        case revive
        /// Unknown tasks are ended.
        case strangers
    }

    private var heap: [(at: Duration, number: UInt64, key: Key)] = []
    private var number: UInt64 = 0

    /// The earliest time.
    var next: Duration? { heap.first?.at }

    mutating func add(_ key: Key, at time: Duration) {
        number += 1
        heap.append((time, number, key))
        var index = heap.count - 1
        while index > 0, isBefore(index, (index - 1) / 2) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// The earliest key whose time has come.
    mutating func pop(now: Duration) -> Key? {
        guard let first = heap.first, first.at <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && isBefore(child, least) {
                least = child
            }
            if least == index { return first.key }
            heap.swapAt(index, least)
            index = least
        }
    }

    /// Equal times keep their order, so that a run can be repeated.
    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (heap[left].at, heap[left].number) < (heap[right].at, heap[right].number)
    }
}
