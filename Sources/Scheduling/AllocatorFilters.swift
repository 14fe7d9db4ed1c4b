internal import ClusterModel

extension Allocator {
    /// Ends the filters whose time is over. `allocate` does so itself.
    public mutating func expireFilters(now: Duration) {
        while let entry = filterQueue.first, entry.end <= now {
            filterQueue.removeFirst()
            if isAlive(entry) { markDirty(agent: entry.agent) }
            removeFilter(entry)
        }
        dropDeadFilters()
    }

    mutating func setFilter(_ refused: Resources, client: Int, agent: Int, end: Duration) {
        filtersMade += 1
        let epoch = clients[client].epoch
        let filter = OfferFilter(
            id: filtersMade, refused: refused, vector: columns.knownVector(refused), end: end, epoch: epoch)
        // Those of an earlier epoch are dead, those that the new one makes pointless may go.
        var kept = (agents[agent].filters[client] ?? [])
            .filter { old in
                old.epoch == epoch && !(old.end <= end && filter.covers(old.refused, vector: old.vector))
            }
        if kept.count >= OfferFilter.perAgentMax,
            let earliest = kept.indices.min(by: { (kept[$0].end, kept[$0].id) < (kept[$1].end, kept[$1].id) })
        {
            kept.remove(at: earliest)
        }
        kept.append(filter)
        agents[agent].filters[client] = kept
        filterQueue.push(FilterQueue.Entry(end: end, filter: filter.id, agent: agent, client: client))
        if filterQueue.wantsCompaction {
            let dead = filterQueue.entries.filter { !isAlive($0) }
            for entry in dead { removeFilter(entry) }
            filterQueue.remove(Set(dead.map(\.filter)))
        }
        dropDeadFilters()
    }

    func isFiltered(
        _ offer: Resources, _ vector: ScalarVector, client: Int, agent: Int, now: Duration
    ) -> Bool {
        guard let filters = agents[agent].filters[client] else { return false }
        let epoch = clients[client].epoch
        return filters.contains { $0.epoch == epoch && $0.end > now && $0.covers(offer, vector: vector) }
    }

    /// Drops all filters of a client on all agents at once; they are cleaned up as they are met.
    mutating func dropFilters(client slot: Int) { clients[slot].epoch += 1 }

    /// Removes dead entries from the front of the queue, so that `nextDeadline` is that of a filter that exists.
    mutating func dropDeadFilters() {
        while let entry = filterQueue.first, !isAlive(entry) {
            filterQueue.removeFirst()
            removeFilter(entry)
        }
    }

    private func isAlive(_ entry: FilterQueue.Entry) -> Bool {
        let epoch = clients[entry.client].epoch
        return agents[entry.agent].filters[entry.client]?.contains { $0.id == entry.filter && $0.epoch == epoch }
            ?? false
    }

    private mutating func removeFilter(_ entry: FilterQueue.Entry) {
        guard var filters = agents[entry.agent].filters[entry.client] else { return }
        filters.removeAll { $0.id == entry.filter }
        agents[entry.agent].filters[entry.client] = filters.isEmpty ? nil : filters
    }
}
