"""The gate, with clients and a clock that the test holds."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.gate import IDLE_SECONDS, Bounds, Gate
from api.shedder import BURST_SECONDS, TARGET_SECONDS


class FakeClock:
    """Time that moves when the test says so, with the calls that are to be made later."""

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[tuple[float, Callable[[], None]]] = []

    def ticks(self) -> float:
        return self.now

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self._calls.append((self.now + seconds, call))

    def pass_by(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [one for one in self._calls if one[0] <= end]:
            first = min(due, key=lambda one: one[0])
            self._calls.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = end


class FakeClient:
    """A client that notes what the gate does with it. `end` ends its request."""

    def __init__(self, gate: Gate, size: int = 1) -> None:
        self.gate = gate
        self.size = size
        self.gone = False
        self.fate = "waits"
        self.retry_after = 0

    def enter(self) -> "FakeClient":
        self.gate.hold(self, self.size)
        self.gate.enter(self)
        return self

    def start(self) -> None:
        self.fate = "runs"

    def shed(self, retry_after: int) -> None:
        self.fate, self.retry_after = "shed", retry_after
        self.gate.release(self.size)
        self.gate.rest(self, retry_after)

    def refuse(self) -> None:
        self.fate = "refused"
        self.gate.release(self.size)

    def pause(self) -> None:
        self.fate = "paused"

    def resume(self) -> None:
        self.fate = "resumed"

    def expire(self) -> None:
        self.fate = "expired"

    def end(self) -> None:
        self.fate = "ended"
        self.gate.leave(self.size)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def gate_of(clock: FakeClock, excused: Callable[[], int] = lambda: 0, **bounds: int) -> Gate:
    return Gate(excused, Bounds(**bounds), ticks=clock.ticks, later=clock.later)


def fates(clients: list[FakeClient]) -> list[str]:
    return [client.fate for client in clients]


def test_requests_wait_for_a_slot_and_start_in_the_order_of_their_arrival(clock: FakeClock) -> None:
    gate = gate_of(clock, running=2)
    clients = [FakeClient(gate).enter() for _ in range(4)]
    assert fates(clients) == ["runs", "runs", "waits", "waits"]
    clients[1].end()
    assert fates(clients) == ["runs", "ended", "runs", "waits"]


def test_requests_that_wait_for_the_outside_need_no_slot(clock: FakeClock) -> None:
    excused = 0
    gate = gate_of(clock, lambda: excused, running=1)
    first, second = FakeClient(gate).enter(), FakeClient(gate).enter()
    assert fates([first, second]) == ["runs", "waits"]
    excused = 1
    clock.pass_by(0.05)
    assert fates([first, second]) == ["runs", "runs"]


def test_a_request_gets_more_slots_while_half_of_the_free_ones_stay_free(clock: FakeClock) -> None:
    gate = gate_of(clock, running=9)
    FakeClient(gate).enter()
    assert gate.take_slots(3) == 3
    assert gate.take_slots(15) == 2  # 5 are free
    assert fates([FakeClient(gate).enter() for _ in range(4)]) == ["runs", "runs", "runs", "waits"]
    assert gate.take_slots(15) == 0


def test_slots_that_are_returned_are_given_to_those_that_wait(clock: FakeClock) -> None:
    gate = gate_of(clock, running=3)
    first = FakeClient(gate).enter()
    taken = gate.take_slots(2)
    second, third = FakeClient(gate).enter(), FakeClient(gate).enter()
    assert (taken, second.fate, third.fate) == (1, "runs", "waits")
    gate.return_slots(taken)
    clock.pass_by(0.05)
    assert (first.fate, third.fate) == ("runs", "runs")


def test_a_burst_may_wait_and_what_waits_too_long_is_shed(clock: FakeClock) -> None:
    gate = gate_of(clock, running=1)
    running, waiting = FakeClient(gate).enter(), FakeClient(gate).enter()
    clock.pass_by(BURST_SECONDS - 0.02)
    assert waiting.fate == "waits"
    clock.pass_by(0.04)
    assert (waiting.fate, waiting.retry_after) == ("shed", 1)
    assert running.fate == "runs"


def test_a_request_that_comes_while_the_server_is_overloaded_waits_only_for_the_target(clock: FakeClock) -> None:
    gate = gate_of(clock, running=1)
    first = FakeClient(gate).enter()
    clients = []
    for _ in range(10):
        clients.append(FakeClient(gate).enter())
        clock.pass_by(0.06)
    assert "shed" in fates(clients)
    last = FakeClient(gate).enter()
    clock.pass_by(TARGET_SECONDS + 0.02)
    assert (first.fate, last.fate) == ("runs", "shed")


def test_a_shed_connection_is_read_again_as_soon_as_nothing_waits_and_a_slot_is_free(clock: FakeClock) -> None:
    gate = gate_of(clock, running=1)
    running, shed = FakeClient(gate).enter(), FakeClient(gate).enter()
    clock.pass_by(BURST_SECONDS + 0.02)
    assert shed.fate == "shed"
    running.end()
    assert shed.fate == "resumed"


def test_a_shed_connection_is_read_again_when_its_time_is_over(clock: FakeClock) -> None:
    gate = gate_of(clock, running=1)
    FakeClient(gate).enter()
    shed = FakeClient(gate).enter()
    clock.pass_by(BURST_SECONDS + 0.02)
    assert shed.fate == "shed"
    clock.pass_by(0.9)
    assert shed.fate == "shed"
    clock.pass_by(0.2)
    assert shed.fate == "resumed"


def test_the_more_clients_rest_the_later_the_next_ones_come_again(clock: FakeClock) -> None:
    gate = gate_of(clock, running=1)
    clients = [FakeClient(gate).enter() for _ in range(2_500)]
    clock.pass_by(BURST_SECONDS + 0.02)
    assert [clients[i].retry_after for i in (1, 250, 251, 2_499)] == [1, 1, 2, 10]


def test_small_requests_do_not_wait_behind_large_ones(clock: FakeClock) -> None:
    gate = gate_of(clock, large=10, large_bytes=100)
    large = [FakeClient(gate, 60).enter() for _ in range(3)]
    small = FakeClient(gate, 10).enter()
    assert [*fates(large), small.fate] == ["runs", "waits", "waits", "runs"]
    large[0].end()
    assert fates(large) == ["ended", "runs", "waits"]


def test_a_request_that_is_larger_than_the_bytes_of_its_queue_runs_alone(clock: FakeClock) -> None:
    gate = gate_of(clock, large=10, large_bytes=100)
    assert FakeClient(gate, 500).enter().fate == "runs"
    assert FakeClient(gate, 11).enter().fate == "waits"


def test_a_client_that_has_gone_is_not_started(clock: FakeClock) -> None:
    gate = gate_of(clock, running=1)
    running, gone, next_one = [FakeClient(gate).enter() for _ in range(3)]
    gone.gone = True
    running.end()
    assert (gone.fate, next_one.fate) == ("waits", "runs")


def test_beyond_the_bytes_the_body_that_arrives_for_longest_is_refused(clock: FakeClock) -> None:
    gate = gate_of(clock, body_bytes=100)
    arriving = [FakeClient(gate, 40) for _ in range(2)]
    for client in arriving:
        assert gate.hold(client, 40)
        gate.arriving[client] = None
    assert gate.hold(FakeClient(gate, 30), 30)
    assert fates(arriving) == ["refused", "waits"]
    assert gate.bytes == 70


def test_without_a_body_that_arrives_the_new_one_is_refused(clock: FakeClock) -> None:
    gate = gate_of(clock, body_bytes=100)
    running, new = FakeClient(gate, 80).enter(), FakeClient(gate, 30)
    assert not gate.hold(new, 30)
    assert (running.fate, new.fate, gate.bytes) == ("runs", "refused", 80)


def test_of_too_many_connections_the_one_that_is_idle_for_longest_is_closed(clock: FakeClock) -> None:
    gate = gate_of(clock, connections=2)
    clients = [FakeClient(gate, 0) for _ in range(3)]
    for number, client in enumerate(clients, start=1):
        gate.admit(client, number)
    assert fates(clients) == ["refused", "waits", "waits"]


def test_a_connection_that_stays_idle_is_closed(clock: FakeClock) -> None:
    gate = gate_of(clock)
    idle, used = FakeClient(gate), FakeClient(gate)
    for client in (idle, used):
        gate.admit(client, 1)
    clock.pass_by(IDLE_SECONDS)
    del gate.idle[used]
    gate.idle[used] = gate.seconds
    clock.pass_by(1)
    assert fates([idle, used]) == ["expired", "waits"]
    clock.pass_by(IDLE_SECONDS)
    assert used.fate == "expired"


def test_a_resting_connection_is_not_closed_before_it_has_been_read_again(clock: FakeClock) -> None:
    gate = gate_of(clock, running=1)
    FakeClient(gate).enter()
    client = FakeClient(gate)
    gate.admit(client, 1)
    gate.rest(client, 2 * IDLE_SECONDS)
    clock.pass_by(2 * IDLE_SECONDS - 0.1)
    assert client.fate == "waits"
    clock.pass_by(IDLE_SECONDS)
    assert client.fate == "resumed"
    clock.pass_by(2)
    assert client.fate == "expired"


def test_if_no_connection_is_idle_a_new_one_is_refused(clock: FakeClock) -> None:
    gate = gate_of(clock, connections=1)
    busy, new = FakeClient(gate), FakeClient(gate)
    gate.admit(busy, 1)
    del gate.idle[busy]
    gate.admit(new, 2)
    assert (busy.fate, new.fate) == ("waits", "refused")


@given(st.lists(st.tuples(st.sampled_from(["enter", "end", "pass"]), st.integers(1, 150)), max_size=80))
def test_whatever_happens_the_bounds_hold_and_nothing_is_left_over(steps: list[tuple[str, int]]) -> None:
    clock = FakeClock()
    gate = gate_of(clock, running=3, body_bytes=400, large=100, large_bytes=200, small_bytes=150)
    clients: list[FakeClient] = []
    for step, number in steps:
        running = [client for client in clients if client.fate == "runs"]
        if step == "enter":
            client = FakeClient(gate, number)
            if gate.hold(client, number):
                gate.enter(client)
                clients.append(client)
        elif step == "end" and running:
            running[number % len(running)].end()
        elif step == "pass":
            clock.pass_by(number / 100)
        running = [client for client in clients if client.fate == "runs"]
        held = [client for client in clients if client.fate in {"runs", "waits"}]
        assert len(running) <= 3
        assert sum(client.size for client in held) == gate.bytes <= 400
        assert running or "waits" not in fates(clients)
    for _ in range(len(clients)):
        clock.pass_by(0.01)
        for client in clients:
            if client.fate == "runs":
                client.end()
    assert not {"waits", "runs"} & set(fates(clients))
    assert gate.bytes == 0
