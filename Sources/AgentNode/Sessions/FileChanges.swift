internal import LinuxSystem
internal import NIOCore
internal import Synchronization

/// Waits for changes of files. For one who waits; where the kernel watches nothing more, time alone passes.
final class FileChanges: @unchecked Sendable {
    private let thread: DescriptorLoop
    private let loop: any EventLoop
    private let held: Held?
    private let waiter = Mutex<CheckedContinuation<Void, Never>?>(nil)
    /// Of the thread alone.
    private var token: UInt64?

    /// Optional values that cannot be copied cannot be looked into.
    private final class Held: Sendable {
        let watch: FileWatch
        init() throws(SystemError) { watch = try FileWatch() }
    }

    init(on thread: DescriptorLoop, _ loop: any EventLoop) {
        self.thread = thread
        self.loop = loop
        held = try? Held()
    }

    /// Looks at one more file.
    func watch(_ file: borrowing LinuxSystem.FileDescriptor) { _ = held?.watch.add(file) }

    /// Returns when a file has changed since the last time, or when the time is over.
    func wait(atMost time: TimeAmount) async {
        var timer: Scheduled<Void>?
        await withCheckedContinuation { waiting in
            waiter.withLock { $0 = waiting }
            let scheduled = loop.scheduleTask(in: time) {}
            // Completes also when the loop ends before its time.
            scheduled.futureResult.whenComplete { [self] _ in resume() }
            timer = scheduled
            thread.async { [self] in arm() }
        }
        timer?.cancel()
    }

    /// Watches no more.
    func end() { thread.async { [self] in disarm() } }

    private func resume() { waiter.withLock { $0.take() }?.resume() }

    // MARK: On the thread

    private func arm() {
        guard let descriptor = held?.watch.descriptor, token == nil else { return }
        token = thread.watch(descriptor, for: .reading) { [self] in changed() }
    }

    private func disarm() {
        guard let descriptor = held?.watch.descriptor, let token else { return }
        thread.forget(token, at: descriptor)
        self.token = nil
    }

    /// Not heard of while nobody waits, so that a task that writes all the time costs no more for being looked at.
    private func changed() {
        disarm()
        guard let waiting = waiter.withLock({ $0.take() }) else { return }
        held?.watch.drain()
        waiting.resume()
    }
}
