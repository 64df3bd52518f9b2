"""A call's way to the chain, on the real contracts."""

from packtrace_gateway.outbox.models import State


def test_append_goes_from_queued_to_final(bench):
    number = bench.append()
    assert bench.row(number).state == State.QUEUED
    bench.run()
    row = bench.until(number, State.INCLUDED)
    assert row.block_hash == bench.network.node.block(row.block_number).hash
    assert row.block_time == bench.network.node.block(row.block_number).timestamp
    bench.run(3)
    assert bench.row(number).state == State.INCLUDED, "a receipt is not finality"
    bench.network.devnet.mine(2)
    assert bench.until(number, State.FINAL).settled
    assert bench.recorder.told == [("included", number), ("final", number)]
    assert [event.event for event in bench.recorder.events[number]] == ["Appended"]
    assert len(bench.network.events("EventLog", "Appended")) == 1
