internal import CLinux
internal import Glibc

/// The right to change a container, held until ``release()`` or the end of the process.
///
/// A forked child shares it; releasing it here releases it there too.
final class ContainerLock {
    let descriptor: Int32

    /// nil when the container was removed in the meantime.
    ///
    /// - Throws: when another process keeps the lock for longer than `wait`.
    init?(_ path: String, create: Bool, wait: Duration) throws(RuntimeFailure) {
        let flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0)
        descriptor = clinux_open(path, flags, 0o600)
        if descriptor < 0 {
            let code = errno
            if code == ENOENT { return nil }
            throw RuntimeFailure("open \(path)", errno: code)
        }
        try Self.take(descriptor, path, wait: wait)
        // The directory may have gone while this waited, or may be another by the same name.
        var held = stat()
        var named = stat()
        if fstat(descriptor, &held) != 0 || stat(path, &named) != 0 || held.st_ino != named.st_ino
            || held.st_dev != named.st_dev
        {
            return nil
        }
    }

    deinit {
        release()
        if descriptor >= 0 { close(descriptor) }
    }

    /// Closing alone would leave it to children that have not executed their program yet.
    func release() {
        if descriptor >= 0 { _ = clinux_flock(descriptor, LOCK_UN) }
    }

    private static func take(_ descriptor: Int32, _ path: String, wait: Duration) throws(RuntimeFailure) {
        let step: Int64 = 5
        var left = wait.components.seconds * 1000 / step
        while clinux_flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            if code == EINTR { continue }
            guard code == EWOULDBLOCK else { throw RuntimeFailure("lock \(path)", errno: code) }
            guard left > 0 else {
                throw RuntimeFailure("container is being changed by another command; try again when that is done")
            }
            left -= 1
            var pause = timespec(tv_sec: 0, tv_nsec: Int(step) * 1_000_000)
            nanosleep(&pause, nil)
        }
    }
}
