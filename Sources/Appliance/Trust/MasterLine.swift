internal import AgentNode
internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import Logging
internal import MasterNode
internal import NIOCore
internal import Transport

/// What a node that is no master asks its master for while it runs: certificates, keys, and in the end its leave.
struct MasterLine: Sendable {
    let files: NodeFiles
    let trust: NodeTrust
    let masters: MasterList
    let caller: HTTPCaller
    let logger: Logger
    let events: NodeEvents

    private struct Renewal: Encodable {
        var request: String
    }

    /// Follows the masters where gossip sees them. Their port stays what it was.
    func listener(port: UInt16) -> GossipPart.Listener {
        GossipPart.Listener(mastersMoved: { [masters, files, logger] addresses in
            let now = addresses.map { Endpoint.tcp($0, port: port) }
            guard let first = now.first, now != masters.endpoints else { return }
            masters.endpoints = now
            logger.notice("the master is at \(first) now")
            guard var identity = try? files.identity(), identity.master != "\(first)" else { return }
            identity.master = "\(first)"
            try? files.store(identity)
        })
    }

    /// What goes on as long as the node runs.
    func keepers(_ gossip: GossipPart) -> [@Sendable () async -> Void] {
        let certificate = CertificateKeeper(
            name: "this node's certificate", logger: logger, times: { [trust] in try trust.validity() },
            renew: { try await renew(gossip) })
        return [{ await certificate.run() }, { await followKeys(gossip) }]
    }

    private func renew(_ gossip: GossipPart) async throws {
        let request = Renewal(request: String(decoding: try CertificateRequest(key: trust.key).pem, as: UTF8.self))
        let admission = try await Joining.ask(
            caller, masters.endpoints[0], "/rondo/v1/certificate", request, expecting: 200)
        let chain = try PEMText.certificates(in: Array(admission.certificate.utf8))
        let own = try trust.verifier.node(chain, now: SystemClock().now().wall)
        guard own.id == trust.id, let attestation = ByteText.bytes(hex: admission.attestation) else {
            throw ApplianceError(.failure, "the master gave the certificate of another node")
        }
        let keys = ClusterKeys(admission.keys)
        try Joining.store(admission, keys, files)
        try trust.take(chain, attestation)
        await gossip.take(keys, trust)
        await gossip.attested(attestation, role: "agent")
    }

    /// Waits for changes of the keys on one long request after the other.
    private func followKeys(_ gossip: GossipPart) async {
        var failures = 0
        while !Task.isCancelled {
            do {
                let response = try await caller.call(
                    .get, masters.endpoints[0], "/rondo/v1/keys?after=\(trust.keys.revision)", timeout: .seconds(40))
                guard (200..<300).contains(response.status.code) else {
                    throw ApplianceError(.failure, "status \(response.status.code)")
                }
                failures = 0
                guard response.status.code == 200 else { continue }
                let bytes = Data(response.bytes.readableBytesView)
                let keys = ClusterKeys(try JSONDecoder().decode(KeysAnswer.self, from: bytes).keys)
                try files.store(keys)
                await gossip.take(keys, trust)
                if trust.isEvicted { return events.post(.evicted) }
            } catch {
                failures += 1
                if failures == 3 { logger.notice("the master's keys cannot be followed: \(error)") }
                guard (try? await Pause.wait(.seconds(min(failures, 10)))) != nil else { return }
            }
        }
    }

    private struct KeysAnswer: Decodable {
        var keys: Joining.Admission.Keys
    }

    /// Has the master take this node out; without it, the certificate ends by itself.
    func depart() async {
        do {
            let response = try await caller.call(
                .post, masters.endpoints[0], "/rondo/v1/leave", timeout: .seconds(10))
            if response.status.code != 204 {
                logger.warning("the master did not take this node's leave: status \(response.status.code)")
            }
        } catch {
            let advice = "`rondo keys evict \(trust.id)` there shuts its key out"
            logger.warning("the master was not told that this node has left (\(error)); \(advice)")
        }
    }
}
