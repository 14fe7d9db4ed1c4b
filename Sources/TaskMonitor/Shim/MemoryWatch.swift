internal import CLinux
internal import Glibc
internal import LinuxSystem

/// Notices when the kernel kills in a container for want of memory.
final class MemoryWatch {
    /// Becomes readable when something may have happened.
    let descriptor: Int32
    private let places: CgroupPlaces
    private var kills: UInt64

    /// Nil where the kernel gives no such notice.
    init?(_ places: CgroupPlaces) {
        self.places = places
        kills = Self.kills(places)
        let opened = places.isUnified ? Self.watchEvents(places) : Self.registerEvent(places)
        guard let opened else { return nil }
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// Version 2: a file that changes.
    private static func watchEvents(_ places: CgroupPlaces) -> Int32? {
        guard let folder = places.folders[""] else { return nil }
        let descriptor = inotify_init1(Int32(O_NONBLOCK | O_CLOEXEC))
        guard descriptor >= 0 else { return nil }
        guard inotify_add_watch(descriptor, folder + "/memory.events", UInt32(IN_MODIFY)) >= 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Version 1: an event of `memory.oom_control`.
    private static func registerEvent(_ places: CgroupPlaces) -> Int32? {
        guard let folder = places.folders["memory"] else { return nil }
        let event = FileDescriptor(owning: clinux_event_descriptor())
        do throws(SystemError) {
            guard event.raw >= 0 else { return nil }
            let control = try FileDescriptor.open(folder + "/memory.oom_control", flags: O_RDONLY)
            let registration = try FileDescriptor.open(folder + "/cgroup.event_control", flags: O_WRONLY)
            try registration.writeAll(Array("\(event.raw) \(control.raw)".utf8))
        } catch { return nil }
        return event.release()
    }

    private static func kills(_ places: CgroupPlaces) -> UInt64 {
        places.isUnified
            ? places.table("memory.events", of: "")["oom_kill"] ?? 0
            : places.table("memory.oom_control", of: "memory")["oom_kill"] ?? 0
    }

    /// Whether memory has run out since this was last asked; nil when the group is gone, for which the kernel also
    /// gives notice.
    func take() -> Bool? {
        var bytes = [UInt8](repeating: 0, count: 512)
        while read(descriptor, &bytes, bytes.count) > 0 {}
        guard places.read(places.isUnified ? "memory.events" : "memory.oom_control", of: "memory") != nil else {
            return nil
        }
        guard places.isUnified else { return true }
        let now = Self.kills(places)
        defer { kills = now }
        return now > kills
    }
}
