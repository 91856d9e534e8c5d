"""A server of two approved sites, and clients that a test calls it by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tests.contract import toy

from cryofed.federation.engines.openfl import inside, words
from cryofed.federation.engines.openfl.calls import Client
from cryofed.federation.engines.openfl.carrier import OpenFLCarrier
from cryofed.federation.engines.openfl.link import Link
from cryofed.federation.engines.openfl.machines import OpenFLMachines
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.trust.identity import Identity

MACHINES = OpenFLMachines()
NAMES = ("alpha", "beta")
PLAN = toy.plan(NAMES)


class Served:
    def __init__(self, folder: Path) -> None:
        self.federation, self.clients = folder / "coordinator", list[Client]()
        self.home = MACHINES.home(self.federation)
        MACHINES.found(PLAN, self.federation)
        self.sites = {name: SiteHome(folder / name) for name in NAMES}
        for name in self.sites:
            self.join(name)
        self.link = self.new_link()
        self.port = self.link.open("127.0.0.1", 0)
        self.carrier = OpenFLCarrier(self.link, "the plan", 1, NAMES, deadline_s=60.0, wait_s=0.0)

    def new_link(self) -> Link:
        own = self.home
        return Link(own.folder / "transfer", own.identity, own.registry, own.refusals, PLAN.name)

    def join(self, name: str, *, renew: bool = False) -> None:
        home = self.sites[name].folder
        request, _ = MACHINES.ask(self.home.invitation, home, name, name, renew=renew)
        answer = MACHINES.admit(PLAN, self.federation, request, lambda _: True, renew=renew)
        MACHINES.accept(answer, home)

    def client(
        self, name: str, *, identity: Identity | None = None, life: str = "", federation: str = PLAN.name
    ) -> Client:
        own = identity or self.sites[name].identity
        aim = words.Aim(host="localhost", port=self.port, site=name, federation=federation)
        made = Client(own, aim, life or f"life-{len(self.clients)}")
        self.clients.append(made)
        return made

    def close(self) -> None:
        self.carrier.close()
        for client in self.clients:
            client.channel.close()
        self.link.close(0.0)


def fetched(client: Client, number: int) -> bytes:
    """The order that a site fetches in this round."""
    head = words.unpack_head(
        client.get_aggregated_tensor(words.HEAD, number, False, ["model"], True).data_bytes
    )
    assert head is not None
    names = [words.piece_name(index) for index in range(head.pieces)]
    return b"".join(
        client.get_aggregated_tensor(name, number, False, ["model"], True).data_bytes for name in names
    )


def send(client: Client, number: int, *tensors: Any, task: str = words.WORK) -> None:
    """Send a result."""
    client.send_local_task_results(number, task, -1, list(tensors))


def answer(number: int, data: bytes, name: str = words.ANSWER) -> Any:
    """A result's tensor as a site of ours makes it."""
    return inside.named_tensor(name, number, data, "trained")


def array(data: bytes) -> Any:
    """Bytes as OpenFL holds them."""
    return np.frombuffer(data, np.uint8)
