"""The oracle: what NetworkQoS objects mean, and what compiled rows do, each worked out without the compiler.

Nothing here imports `nqosd`. The two halves meet in a packet::

    objects: Mapping[str, list[dict]]                      # decoded manifests by kind
    oracle = read_meaning(objects, zone=None, unselected_networks="all")     # tests.oracle.meaning
    rows = read_rows(document, pipeline_of("25.03.0"))                       # tests.oracle.rows

    for sender in oracle.senders:                          # every attachment that can send in this zone
        sent = attrs.evolve(packet, inport=sender.port)    # tests.oracle.packet.Packet; a `Send` has both
        decision = oracle.decide(sender, sent)             # a Decision, or None for no rule
        result = rows.treat(sender.switch, sent)           # a Result, or None for no row

They agree where both are None, or where `decision.treatment == result.treatment` and every one of `result.winners`
names `decision.policy` and `decision.rule`. `decide` raises `UndecidedError` for a packet of which the definition says
nothing (leave it out); `treat` raises `AmbiguousError`, and `read_rows` `MatchSyntaxError`, for rows that are wrong.

Modules:
    meaning: `read_meaning`, `Oracle` (`problems`, `crowded_out`, `applied`, `senders`, `sender`, `decide`), `Policy`
        (`sources` by network and switch, `networks`, `limit_per_pod`), `Decision`, `UndecidedError`
    cluster: `Sender` (`pod`, `network`, `switch`, `port`, `addresses`, `direction`)
    validity: `problems(policy)`, each a `Problem(field, message)`
    packet: `Packet`, `packet(source, destination, protocol, port)`, `Treatment`
    ovn_match: `parse(text)` → `Expression`, `.evaluate(packet, address_sets, port_groups)`, `MatchSyntaxError`
    rows: `read_rows`, `Rows.treat`, `Result`, `pipeline_of`, `AmbiguousError`
    strategies: `clusters()`, `settings()`, `sends(oracle, around)`; `policy_strategies.policies(valid=...)`
    probes: `boundaries(objects, oracle)`, `probes(oracle, around, random, count)`: the same packets without Hypothesis
    examples: short ways to write manifests by hand, `meaning(*manifests)`
    judge: real OVN (ovn-trace) asked about matches
"""
