import Glibc

extension CgroupRecord {
    private enum Freezer {
        case version1(CgroupDirectory)
        case version2(CgroupDirectory)
    }

    private var freezer: Freezer? {
        if let place = version1("freezer"), place.directory.exists { return .version1(place.directory) }
        if let place = version2, place.directory.has("cgroup.freeze") { return .version2(place.directory) }
        return nil
    }

    private func neededFreezer() throws(RuntimeFailure) -> Freezer {
        guard let freezer else {
            throw RuntimeFailure(
                "the container cannot be paused: its cgroup has no freezer (no freezer controller of version 1 and no"
                    + " cgroup.freeze of version 2)")
        }
        return freezer
    }

    /// Whether every process of the container is stopped, by us or by a frozen group above.
    var isFrozen: Bool {
        switch freezer {
        case .version1(let group): group.read("freezer.state") == "FROZEN"
        case .version2(let group): group.value(of: "frozen", in: "cgroup.events") == 1
        case nil: false
        }
    }

    /// Stops every process of the container. Returns when all have stopped, after some seconds with an error, and the
    /// group is thawed then.
    func freeze() throws(RuntimeFailure) {
        switch try neededFreezer() {
        case .version1(let group): try freezeVersion1(group)
        case .version2(let group):
            try group.set("cgroup.freeze", "1")
            guard waitVersion2(group, frozen: true) else {
                _ = group.attempt("0", to: "cgroup.freeze")
                throw RuntimeFailure(
                    "not all processes of \(group.path) stopped within two seconds; it is thawed again")
            }
        }
    }

    /// While processes fork, the kernel may stay in FREEZING: asking again helps, and letting go for a moment helps
    /// more (cgroup-v1/freezer-subsystem.rst).
    private func freezeVersion1(_ group: CgroupDirectory) throws(RuntimeFailure) {
        for round in 1...1000 {
            if round % 50 == 0 {
                _ = group.attempt("THAWED", to: "freezer.state")
                cgroupPause(microseconds: 10_000)
            }
            let code = group.attempt("FROZEN", to: "freezer.state")
            guard code == 0 else {
                _ = group.attempt("THAWED", to: "freezer.state")
                throw group.failure("freezer.state", "FROZEN", code)
            }
            let state = group.read("freezer.state")
            if state == "FROZEN" { return }
            guard state == "FREEZING" else {
                _ = group.attempt("THAWED", to: "freezer.state")
                throw RuntimeFailure("freezer.state of \(group.path) became \(state ?? "unreadable") instead of FROZEN")
            }
            cgroupPause(microseconds: min(round * 10, 2000))
        }
        _ = group.attempt("THAWED", to: "freezer.state")
        throw RuntimeFailure("not all processes of \(group.path) stopped; it is thawed again")
    }

    /// Lets the processes run on.
    func thaw() throws(RuntimeFailure) {
        switch try neededFreezer() {
        case .version1(let group):
            try group.set("freezer.state", "THAWED")
            for _ in 0..<200 {
                if group.read("freezer.state") == "THAWED" { return }
                cgroupPause(microseconds: 1000)
            }
            throw RuntimeFailure("\(group.path) does not thaw; is a group above it frozen?")
        case .version2(let group):
            try group.set("cgroup.freeze", "0")
            guard waitVersion2(group, frozen: false) else {
                throw RuntimeFailure("\(group.path) does not thaw; is a group above it frozen?")
            }
        }
    }

    private func waitVersion2(_ group: CgroupDirectory, frozen: Bool) -> Bool {
        var waited = 0
        var pause = 50
        while group.value(of: "frozen", in: "cgroup.events") != (frozen ? 1 : 0) {
            guard waited < 2_000_000 else { return false }
            cgroupPause(microseconds: pause)
            waited += pause
            pause = min(pause * 2, 10_000)
        }
        return true
    }
}
