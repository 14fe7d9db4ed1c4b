internal import ClusterModel

/// What becomes of a question. Owns no socket and no clock: the same question to the same table has the same answer,
/// apart from where a list begins.
struct Answerer {
    enum Outcome: Equatable {
        /// To be sent back.
        case answer([UInt8])
        /// Others know; the message is understood and may be passed on.
        case forward(Query)
        /// Nothing: what sends back answers to what is no question can be made to send them to itself.
        case silence
    }

    /// A question that was understood.
    struct Query: Equatable {
        var header: DNSHeader
        /// Name, kind and group as they came.
        var question: [UInt8]
        /// How much the asker takes.
        var limit: Int
        var hasOptions: Bool
        var message: [UInt8]
    }

    /// What fits into a packet on every way (DNS flag day 2020).
    static let largestPacket = 1232
    private static let smallestPacket = 512
    static let largestMessage = 65535
    private static let largestQuery = 4096

    let table: NameTable
    /// Where lists begin, so that those who take the first address do not all take the same one.
    var turn: Int

    func outcome(_ message: [UInt8], isStream: Bool) -> Outcome {
        guard let header = DNSMessage.header(message), header.flags & DNSHeader.isAnswer == 0 else { return .silence }
        let bare = Query(
            header: header, question: [], limit: Self.smallestPacket, hasOptions: false, message: [])
        guard header.operation == 0 else { return .answer(Self.failure(bare, .notImplemented)) }
        guard message.count <= Self.largestQuery, let parsed = try? DNSMessage(parsing: message),
            parsed.questions.count == 1, let question = parsed.questions.first, parsed.answers.isEmpty,
            question.name.labels.count > 0 || question.kind != RecordKind.opt
        else { return .answer(Self.failure(bare, .formatError)) }
        let options = parsed.additional.filter { $0.kind == RecordKind.opt }
        guard options.count <= 1 else { return .answer(Self.failure(bare, .formatError)) }
        let size = min(max(Int(options.first?.group ?? 0), Self.smallestPacket), Self.largestPacket)
        let query = Query(
            header: header, question: Array(message[DNSHeader.size..<parsed.endOfQuestions]),
            limit: isStream ? Self.largestMessage : size, hasOptions: !options.isEmpty, message: message)
        // The version is in the second byte of what is the lifetime in other records.
        if let option = options.first, option.lifetime >> 16 & 0xff != 0 {
            return .answer(Self.failure(query, .badVersion))
        }
        let transfers = [RecordKind.axfr, RecordKind.ixfr]
        guard question.group == 1 || question.group == 255, !transfers.contains(question.kind) else {
            return .answer(Self.failure(query, .refused))
        }
        guard let zone = zone(of: question.name) else {
            guard header.flags & DNSHeader.wantsRecursion != 0 else { return .answer(Self.failure(query, .refused)) }
            return .forward(query)
        }
        return .answer(answer(query, question, zone))
    }

    /// Names with bytes that no name here has are still in a zone by their last label.
    private func zone(of name: DomainName) -> String? {
        if let key = name.key { return table.zone(of: key) }
        return [table.domain, table.serviceDomain].first { zone in
            let labels = zone.split(separator: ".").count
            return DomainName(labels: Array(name.labels.suffix(labels))).key == zone
        }
    }

    private func answer(_ query: Query, _ question: DNSQuestion, _ zone: String) -> [UInt8] {
        guard let key = question.name.key, let entry = table.entry(key) else {
            return negative(query, zone, .noSuchName)
        }
        // Room is kept for the OPT record, which comes last.
        var writer = DNSWriter(answering: query.question, limit: query.limit - (query.hasOptions ? Self.optionSize : 0))
        var count: UInt16 = 0
        var isWhole = true
        let isAny = question.kind == RecordKind.any
        if question.kind == RecordKind.soa && key == zone {
            count += appendAuthority(&writer, zone) ? 1 : 0
        }
        if question.kind == RecordKind.ns && key == zone {
            count += writer.append(key, RecordKind.ns, lifetime: table.lifetime) { $0.put("ns.\(zone)") } ? 1 : 0
        }
        let addresses = rotated(entry.addresses.filter { isAny || question.kind == Self.kind(of: $0) })
        for address in addresses where isWhole {
            isWhole = append(address, key, &writer)
            if isWhole { count += 1 }
        }
        let services = question.kind == RecordKind.srv || isAny ? rotated(entry.services) : []
        for service in services where isWhole {
            isWhole = writer.append(key, RecordKind.srv, lifetime: table.lifetime) { data in
                // All alike; there are programs that take weight 0 for no traffic.
                for number in [UInt16(0), 1, service.port] { data.put(number) }
                // Names in SRV records are written out (RFC 2782).
                data.put(service.target, compressed: false)
            }
            if isWhole { count += 1 }
        }
        if count == 0, isWhole { return negative(query, zone, .noError) }
        let additional = isWhole ? appendAddresses(of: services, &writer) : 0
        // Over a stream there is no way to send more; what fits is the answer.
        let isTruncated = !isWhole && query.limit <= Self.largestPacket
        return finish(
            query, &writer, .noError, counts: [count, 0, additional],
            flags: DNSHeader.isAuthoritative | (isTruncated ? DNSHeader.isTruncated : 0))
    }

    private static func kind(of address: NetworkAddress) -> UInt16 {
        address.isIPv6 ? RecordKind.aaaa : RecordKind.a
    }

    private func rotated<Element>(_ list: [Element]) -> [Element] {
        guard list.count > 1 else { return list }
        let start = Int(UInt(bitPattern: turn) % UInt(list.count))
        return Array(list[start...] + list[..<start])
    }

    private func append(_ address: NetworkAddress, _ name: String, _ writer: inout DNSWriter) -> Bool {
        writer.append(name, Self.kind(of: address), lifetime: table.lifetime) { $0.put(address.bytes) }
    }

    /// Saves the asker a question for each target.
    private func appendAddresses(of services: [NameTable.Service], _ writer: inout DNSWriter) -> UInt16 {
        var count: UInt16 = 0
        for target in Set(services.map(\.target)).sorted() {
            for address in table.entry(target)?.addresses ?? [] {
                guard count < 1000, append(address, target, &writer) else { return count }
                count += 1
            }
        }
        return count
    }

    private func appendAuthority(_ writer: inout DNSWriter, _ zone: String) -> Bool {
        writer.append(zone, RecordKind.soa, lifetime: table.lifetime) { data in
            data.put("ns.\(zone)")
            data.put("root.ns.\(zone)")
            // Serial, refresh, retry, expiry; the last is how long "no such name" may be kept.
            for number in [table.serial, 60, 30, 600, min(table.lifetime, 1)] { data.put(number) }
        }
    }

    private func negative(_ query: Query, _ zone: String, _ code: ResponseCode) -> [UInt8] {
        var writer = DNSWriter(answering: query.question, limit: query.limit)
        let count: UInt16 = appendAuthority(&writer, zone) ? 1 : 0
        return finish(
            query, &writer, code, counts: [0, count, 0], flags: DNSHeader.isAuthoritative)
    }

    private static let optionSize = 11

    private func finish(
        _ query: Query, _ writer: inout DNSWriter, _ code: ResponseCode, counts: [UInt16], flags: UInt16
    ) -> [UInt8] { Self.finish(query, &writer, code, counts: counts, flags: flags) }

    private static func finish(
        _ query: Query, _ writer: inout DNSWriter, _ code: ResponseCode, counts: [UInt16], flags: UInt16
    ) -> [UInt8] {
        var counts = counts
        if query.hasOptions {
            // Root name, kind, size, the upper part of the code, version 0, no flags, no data.
            writer.put([0])
            for number in [RecordKind.opt, UInt16(largestPacket)] { writer.put(number) }
            writer.put([UInt8(code.rawValue >> 4), 0, 0, 0, 0, 0])
            counts[2] += 1
        }
        let kept = query.header.flags & (DNSHeader.wantsRecursion | 0x7800)
        let header = DNSHeader(
            id: query.header.id,
            flags: DNSHeader.isAnswer | DNSHeader.offersRecursion | flags | kept | code.rawValue & 15,
            counts: [query.question.isEmpty ? 0 : 1] + counts)
        writer.setHeader(header)
        return writer.bytes
    }

    /// An answer without records.
    static func failure(_ query: Query, _ code: ResponseCode, flags: UInt16 = 0) -> [UInt8] {
        var writer = DNSWriter(answering: query.question, limit: largestMessage)
        return finish(query, &writer, code, counts: [0, 0, 0], flags: flags)
    }

    // MARK: Passing on

    /// The question for another server: as it came, with another number.
    static func passedOn(_ query: Query, id: UInt16) -> [UInt8] {
        var message = query.message
        message[0] = UInt8(id >> 8)
        message[1] = UInt8(id & 0xff)
        return message
    }

    /// The answer for the asker; nil when this is not the answer to that question.
    static func passedBack(_ answer: [UInt8], to query: Query, id: UInt16) -> [UInt8]? {
        guard let header = DNSMessage.header(answer), header.id == id, header.flags & DNSHeader.isAnswer != 0,
            header.operation == 0
        else { return nil }
        // A server that cannot read the question may leave it out, with an error.
        if header.counts[0] == 0 {
            guard header.code != 0, header.counts[1] == 0 else { return nil }
        } else {
            guard header.counts[0] == 1, answer.count >= DNSHeader.size + query.question.count else { return nil }
            let question = answer[DNSHeader.size..<(DNSHeader.size + query.question.count)]
            guard question.elementsEqual(query.question, by: { lower($0) == lower($1) }) else { return nil }
        }
        if answer.count > query.limit {
            return failure(query, .noError, flags: DNSHeader.isTruncated)
        }
        var answer = answer
        answer[0] = UInt8(query.header.id >> 8)
        answer[1] = UInt8(query.header.id & 0xff)
        return answer
    }

    private static func lower(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte + 32 : byte }
}
