internal import ClusterModel

extension JobsCore {
    /// Answers offers: each is accepted for the runs that it has room for, or declined.
    mutating func match(_ offers: [Offer]) {
        guard isConnected else { return }
        var rooms = offers.map(OfferRoom.init)
        let ready = idle.filter { (clocks[$0]?.notBefore ?? .zero) <= now.elapsed }
        for run in inOrder(ready) { place(run, in: &rooms) }
        var declined: [OfferID] = []
        for room in rooms {
            if room.tasks.isEmpty {
                declined.append(room.offer.id)
            } else {
                call(.accept(offers: [room.offer.id], operations: [.launch(room.tasks)], filters: .standard))
            }
        }
        guard !declined.isEmpty else { return }
        // When nobody waits: whoever comes drops the filters.
        call(.decline(offers: declined, filters: idle.isEmpty ? OfferFilters(refuse: .seconds(3_600)) : .standard))
    }

    /// Finds the first offer that a run fits in; its task is stored before the offer is accepted.
    private mutating func place(_ waiting: JobRun, in rooms: inout [OfferRoom]) {
        var run = waiting
        let plan = run.job.run
        for index in rooms.indices {
            let offer = rooms[index].offer
            guard plan.constraints.allSatisfy({ $0.fits(offer.agent) }),
                let resources = rooms[index].resources(for: plan)
            else { continue }
            let id = newTaskID(run)
            guard rooms[index].place(RunTaskInfo.task(for: run, id, on: offer, resources)) else { continue }
            run.tasks.append(RunTask(id: id, agent: offer.agentID, startedAt: now.wall))
            run.tasks = Array(run.tasks.suffix(JobRun.tasksKept))
            idle.remove(run.id)
            clocks[run.id]?.shortage = nil
            if run.status != .starting { clocks[run.id]?.launchBy = nil }
            // The master says nothing of a task that it never got.
            tasks[id] = TaskClock(run: run.id, agent: offer.agentID, askAt: now.elapsed + settings.askInterval)
            begin()
            put(run)
            return
        }
        clocks[run.id]?.shortage = rooms.compactMap { $0.shortage(for: plan) }.first
    }

    private mutating func newTaskID(_ run: JobRun) -> TaskID {
        let job = run.job.id.value.split(separator: ".", omittingEmptySubsequences: false).joined(separator: "_")
        return TaskID("\(job)_\(run.id).\(StatusUUID(using: &chance).text)")
    }
}
