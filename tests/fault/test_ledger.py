"""The judge of the fault tests finds each fault that it is there for, and none where there is none."""

from fault.ledger import Arrival, Ledger, Promise

PROMISES = [Promise("g", n, f"id{n}", "accepted") for n in range(1, 6)]
ARRIVALS = [Arrival("g", n, f"id{n}", 1) for n in range(1, 6)]


def faults(promises, arrivals, window=2):
    return Ledger(window).check(promises, arrivals).faults


def over(connection, *numbers):
    return [Arrival("g", n, f"id{n}", connection) for n in numbers]


def test_what_arrives_once_and_in_order_is_right():
    assert faults(PROMISES, ARRIVALS) == []


def test_what_was_never_answered_may_arrive_or_not():
    assert faults(PROMISES[1:3], ARRIVALS) == []


def test_repeats_within_the_window_after_a_new_connection_are_right():
    assert faults(PROMISES, over(1, 1, 2, 3) + over(2, 2, 3, 4, 5)) == []


def test_what_does_not_arrive_is_lost():
    (fault,) = faults(PROMISES, ARRIVALS[:2] + ARRIVALS[3:])
    assert "('g', 3) was answered 200 as id3 and has not arrived" in fault


def test_the_order_of_first_arrivals_counts():
    (fault,) = faults(PROMISES, over(1, 1, 3, 2, 4, 5))
    assert "('g', 3) arrived before 2, accepted earlier" in fault


def test_the_order_between_gids_does_not_count():
    other = Promise("h", 1, "idh", "accepted")
    assert faults([*PROMISES, other], [Arrival("h", 1, "idh", 1), *ARRIVALS]) == []


def test_more_repeats_than_the_window_are_a_fault():
    (fault,) = faults(PROMISES, ARRIVALS + over(2, 3, 4, 5))
    assert "connection 2 repeated 3 events" in fault


def test_the_same_event_twice_over_one_connection_is_a_fault():
    (fault,) = faults(PROMISES, ARRIVALS + over(1, 5))
    assert "id5 came twice over connection 1" in fault


def test_an_event_with_two_ids_was_stored_twice():
    (fault,) = faults(PROMISES, [*ARRIVALS, Arrival("g", 5, "another", 2)])
    assert "stored twice" in fault


def test_an_answer_with_another_id_than_the_event_has_is_a_fault():
    (fault,) = faults([Promise("g", 1, "another", "duplicate")], ARRIVALS)
    assert "answered 200 as another and arrived as id1" in fault
