"""The switches, the routers and their ports of a network in one zone, as ovn-kubernetes writes them.

In: a network, and the nodes of a zone. Out: the commands of ovn-nbctl that make it. The rule: names, types, external
ids and options of switches and their ports are those that `fixtures/switches.json` shows of a real cluster.

Layer3 networks get a switch for each node, a cluster router, and on the way out a gateway router for each node behind a
join switch. Layer2 networks with a way out get a transit router before the gateway router, or none in the older form.
Between zones, cluster routers meet on a transit switch, and a layer2 network's switches are one.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tests.dataplane.networks import DEFAULT, NODES, Interface, Network, external, mac

PHYSICAL_NETWORK = "physnet"
ROUTER_HOST, MANAGEMENT_HOST = 1, 2
TRANSIT_KEYS = 16711683
"""What ovn-kubernetes adds to a network's id for the tunnel key of what zones share."""
_FOR_ALL_ZONES = {"mcast_flood_unregistered": "true", "mcast_querier": "false", "mcast_snoop": "true"}

Command = Sequence[str]


def topology(network: Network, zone: Sequence[int]) -> Iterator[Command]:
    """Make a network in the zone that has these nodes."""
    if network.topology == "localnet":
        yield from _switch(network, network.switch(1), _ranges(network, 1))
        yield from _localnet(network.switch(1), f"{network.prefix}ovn_localnet_port", vlan=network.vlan)
    elif network.topology == "layer2":
        yield from _layer2(network, zone)
    else:
        yield from _layer3(network, zone)


def column(name: str, values: Mapping[str, object]) -> list[str]:
    """Write entries of a column that is a map, as arguments of `set` and `create`."""
    return [f"{name}:{json.dumps(key)}={json.dumps(str(value))}" for key, value in values.items()]


def identity(network: Network, *names: str) -> dict[str, str]:
    """Give the external ids that say whose something is; the default network's things have none."""
    if network.name == DEFAULT:
        return {}
    ids = {"network": network.name, "role": network.role, "topology": network.topology}
    return {f"k8s.ovn.org/{name}": ids[name] for name in names}


def balancers(network: Network) -> tuple[str, str]:
    """Name the groups of load balancers that switches with pods have."""
    return f"{network.prefix}clusterLBGroup", f"{network.prefix}clusterSwitchLBGroup"


def _switch(network: Network, name: str, settings: Mapping[str, object]) -> Iterator[Command]:
    yield ["ls-add", name]
    columns = column("external_ids", identity(network, "network", "role", "topology"))
    if columns := [*columns, *column("other_config", settings)]:
        yield ["set", "Logical_Switch", name, *columns]


def _ranges(network: Network, node: int) -> dict[str, object]:
    subnets = {each.version: each for each in network.node_subnets(node)}
    found: dict[str, object] = {"subnet": subnets[4]} if 4 in subnets else {}
    return found | ({"ipv6_prefix": subnets[6].network_address} if 6 in subnets else {})


def _for_all_zones(network: Network, switch: str) -> dict[str, object]:
    return {"interconn-ts": switch, "requested-tnl-key": TRANSIT_KEYS + network.number, **_FOR_ALL_ZONES}


def _layer2(network: Network, zone: Sequence[int]) -> Iterator[Command]:
    switch = network.switch(1)
    yield from _switch(network, switch, _for_all_zones(network, switch) | _ranges(network, 1))
    yield from _balancers(network, [switch])
    if not network.has_gateway:
        return
    node = network.gateway if len(zone) > 1 else zone[0]
    yield from _management(network, switch, node)
    yield from _gateway(network, node)
    gateway = f"GR_{network.prefix}{NODES[node - 1]}"
    router, ports = gateway, (f"rtos-{switch}", f"stor-{switch}")
    if network.has_transit_router:
        router, ports = f"{network.prefix}transit_router", (f"trtos-{switch}", f"stotr-{switch}")
        yield from _transit_router(network, router, gateway, node)
    addresses = network.addresses(1, ROUTER_HOST)
    ids = identity(network, "network", "topology")
    yield from _joined(router, switch, ports, mac(network.number, 0, 1), addresses, ids=ids)


def _transit_router(network: Network, router: str, gateway: str, node: int) -> Iterator[Command]:
    """Make the router that pods are on, and its link to the gateway router."""
    yield ["lr-add", router]
    link = [(f"100.88.{node}.1/24", f"100.88.{node}.2/24"), (f"fd97:{node}::1/64", f"fd97:{node}::2/64")]
    inner, outer = f"trtor-{gateway}", f"rtotr-{gateway}"
    near, far = zip(*link, strict=True)
    yield ["lrp-add", router, inner, mac(network.number, 0xDD, node), *near, f"peer={outer}"]
    yield ["lrp-add", gateway, outer, mac(network.number, 0xDE, node), *far, f"peer={inner}"]
    for whole, here, there in zip(network.subnets, near, far, strict=True):
        yield ["lr-route-add", router, _everything(whole.version), there.split("/")[0]]
        yield ["lr-route-add", gateway, str(whole), here.split("/")[0]]


def _layer3(network: Network, zone: Sequence[int]) -> Iterator[Command]:
    router = f"{network.prefix}ovn_cluster_router"
    yield ["lr-add", router]
    for node in zone:
        switch = network.switch(node)
        # Without a port for the node's own interface, its address is kept free.
        exclusion = {} if network.has_gateway else {"exclude_ips": network.addresses(node, MANAGEMENT_HOST)[0].ip}
        yield from _switch(network, switch, _ranges(network, node) | exclusion)
        address, addresses = mac(network.number, node, 1), network.addresses(node, ROUTER_HOST)
        options = _proxied(network) if network.name == DEFAULT else {}
        ports = f"rtos-{switch}", f"stor-{switch}"
        yield from _joined(router, switch, ports, address, addresses, options=options)
        if network.has_gateway:
            yield from _management(network, switch, node)
    yield from _balancers(network, [network.switch(node) for node in zone])
    if network.has_gateway:
        yield from _ways_out(network, router, zone)
    if len(zone) < len(NODES):
        yield from _transit_switch(network, router, zone)


def _proxied(network: Network) -> dict[str, str]:
    """Let the default network's router answer for every address, as virtual machines that have migrated need it."""
    return {"arp_proxy": " ".join(["0a:58:a9:fe:01:01 169.254.1.1 fe80::1", *map(str, network.subnets)])}


def _ways_out(network: Network, router: str, zone: Sequence[int]) -> Iterator[Command]:
    join = f"{network.prefix}join"
    yield ["ls-add", join]
    ids = identity(network, "network", "topology")
    if ids:
        yield ["set", "Logical_Switch", join, *column("external_ids", ids)]
    ports = f"rtoj-{router}", f"jtor-{router}"
    yield from _joined(router, join, ports, mac(network.number, 0, 1), _join(0))
    for node in zone:
        yield from _gateway(network, node)
        gateway = f"GR_{network.prefix}{NODES[node - 1]}"
        address = mac(network.number, 0, 1 + node)
        ports = f"rtoj-{gateway}", f"jtor-{gateway}"
        yield from _joined(gateway, join, ports, address, _join(node), ids=ids)
        for subnet, whole in zip(network.node_subnets(node), network.subnets, strict=True):
            inside, there = (_join(number)[0 if subnet.version == 4 else 1].split("/")[0] for number in (0, node))
            yield ["--policy=src-ip", "lr-route-add", router, str(subnet), there]
            yield ["lr-route-add", gateway, str(whole), inside]


def _transit_switch(network: Network, router: str, zone: Sequence[int]) -> Iterator[Command]:
    """Make the switch on which the cluster routers of all zones meet, and the routes to the nodes of others."""
    switch = f"{network.prefix}transit_switch"
    yield from _switch(network, switch, _for_all_zones(network, switch))
    for node, name in enumerate(NODES, start=1):
        port, addresses = f"{network.prefix}tstor-{name}", (f"100.88.0.{node}/16", f"fd97::{node}/64")
        address, ids, key = f"0a:58:64:58:00:{node:02x}", {"node": name}, {"requested-tnl-key": node}
        if node in zone:
            ports = f"{network.prefix}rtots-{name}", port
            yield from _joined(router, switch, ports, address, addresses, ids=ids, options=key)
            continue
        where = " ".join([address, *addresses])
        options = {"requested-chassis": name} | key
        yield from port_commands(switch, port, "remote", [where], ids=ids, options=options)
        for subnet in network.node_subnets(node):
            yield ["lr-route-add", router, str(subnet), addresses[0 if subnet.version == 4 else 1].split("/")[0]]


def _gateway(network: Network, node: int) -> Iterator[Command]:
    """Make a gateway router on a node, with its way out and source address translation."""
    router, outside = (f"{kind}_{network.prefix}{NODES[node - 1]}" for kind in ("GR", "ext"))
    addresses, address = external(_outside_number(network, node)), mac(network.number, 0xEE, node)
    yield ["lr-add", router]
    yield ["set", "Logical_Router", router, f"options:chassis={NODES[node - 1]}"]
    yield from _switch(network, outside, {})
    ids = identity(network, "network", "topology")
    yield from _localnet(outside, f"breth0_{network.prefix}{NODES[node - 1]}", ids=ids)
    garp = {"exclude-lb-vips-from-garp": "true", "nat-addresses": "router"} if network.name == DEFAULT else {}
    ports = f"rtoe-{router}", f"etor-{router}"
    yield from _joined(router, outside, ports, address, addresses, ids=ids, options=garp, answers=address)
    # A packet that the router sends back into its own network, as behind a service, keeps its source.
    for own, inside, whole in zip(addresses, network.node_subnets(node), network.subnets, strict=False):
        version = f"{network.number}_{node}_{whole.version}"
        own_set = ["create", "Address_Set", f"name=own_{version}", f'addresses="{whole}"']
        columns = [f'external_ip="{own.ip}"', f'logical_ip="{inside}"']
        nat = ["create", "NAT", "type=snat", *columns, f"exempted_ext_ips=@own_{version}"]
        yield [f"--id=@own_{version}", *own_set]
        yield [f"--id=@nat_{version}", *nat]
        yield ["add", "Logical_Router", router, "nat", f"@nat_{version}"]


def _management(network: Network, switch: str, node: int) -> Iterator[Command]:
    """Make the port of the node's own interface, and let in what comes from there, as the kubelet's probes do."""
    addresses = network.addresses(node, MANAGEMENT_HOST)
    where = " ".join([mac(network.number, node, MANAGEMENT_HOST), *(str(each.ip) for each in addresses)])
    yield from port_commands(switch, f"k8s-{network.prefix}{NODES[node - 1]}", "", [where])
    for each in addresses:
        yield ["acl-add", switch, "to-lport", "1001", f"ip{each.version}.src=={each.ip}", "allow-related"]


def _balancers(network: Network, switches: Iterable[str]) -> Iterator[Command]:
    groups = {f"@group{index}": name for index, name in enumerate(balancers(network))}
    for each, name in groups.items():
        yield [f"--id={each}", "create", "Load_Balancer_Group", f"name={name}"]
    for switch in switches:
        yield ["add", "Logical_Switch", switch, "load_balancer_group", *groups]


def _joined(
    router: str,
    switch: str,
    ports: tuple[str, str],
    address: str,
    addresses: Iterable[Interface | str],
    *,
    ids: Mapping[str, object] = {},
    options: Mapping[str, object] = {},
    answers: str = "router",
) -> Iterator[Command]:
    """Make a router's port and the switch's port that is its peer, which are named in this order."""
    port, peer = ports
    yield ["lrp-add", router, port, address, *map(str, addresses)]
    yield from port_commands(switch, peer, "router", [answers], ids=ids, options={"router-port": port, **options})


def _localnet(switch: str, port: str, *, ids: Mapping[str, object] = {}, vlan: int | None = None) -> Iterator[Command]:
    options = {"network_name": PHYSICAL_NETWORK}
    yield from port_commands(switch, port, "localnet", ["unknown"], ids=ids, options=options)
    if vlan is not None:
        yield ["set", "Logical_Switch_Port", port, f"tag={vlan}", f"tag_request={vlan}"]


def port_commands(
    switch: str,
    port: str,
    kind: str,
    addresses: Iterable[str],
    *,
    ids: Mapping[str, object] = {},
    options: Mapping[str, object] = {},
) -> Iterator[Command]:
    """Make a port of a switch, of a type."""
    yield ["lsp-add", switch, port]
    yield ["lsp-set-type", port, kind]
    yield ["lsp-set-addresses", port, *addresses]
    if columns := [*column("external_ids", ids), *column("options", options)]:
        yield ["set", "Logical_Switch_Port", port, *columns]


def _join(node: int) -> tuple[str, str]:
    """Give the addresses of a router on the join switch; number 0 is the cluster router."""
    return f"100.64.0.{node + 1}/16", f"fd98::{node + 1}/64"


def _everything(version: int) -> str:
    return "0.0.0.0/0" if version == 4 else "::/0"


def _outside_number(network: Network, node: int) -> int:
    """Give the number of a gateway router among the external hosts, each two digits."""
    return network.number % 10 * 10 + node
