import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.server.recognition.transcript import TurnTranscript, agreed, remainder

AGREED_S = 1.5
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12)


def test_a_word_is_given_out_when_the_hypotheses_have_agreed_on_it_for_long_enough() -> None:
    subject = TurnTranscript(AGREED_S)
    assert subject.agree("He was, not", 1.0) == ""
    assert subject.agree("He was not an", 2.0) == ""
    assert subject.agree("He was not an ill", 1.0 + AGREED_S) == "He was not"
    assert subject.agree("He was not an ill disposed", 2.0 + AGREED_S) == "He was not an"


def test_many_looks_in_a_short_time_give_nothing_out() -> None:
    subject = TurnTranscript(AGREED_S)
    for look in range(10):
        assert subject.agree("I'd less to be rather", 1.0 + 0.1 * look) == ""
    assert subject.agree("Unless to be rather cold", 2.0 + AGREED_S) == ""
    assert subject.settle("Unless to be rather cold.") == "Unless to be rather cold."


def test_what_little_audio_sounds_like_is_not_given_out_however_old_it_is() -> None:
    subject = TurnTranscript(AGREED_S, context_s=4.0)
    subject.agree("I'd less to be rather", 1.0)
    assert subject.agree("I'd less to be rather cold", 3.9) == ""
    assert subject.agree("Unless to be rather cold", 4.5) == ""
    assert subject.agree("Unless to be rather cold hearted", 4.5 + AGREED_S) == "Unless to be rather cold"


def test_two_hypotheses_must_agree_where_no_time_is_asked_for() -> None:
    subject = TurnTranscript()
    assert subject.agree("He was not", 1.0) == ""
    assert subject.agree("He was not an", 1.1) == "He was not"


def test_one_other_hypothesis_makes_a_word_and_those_behind_it_young_again() -> None:
    subject = TurnTranscript(AGREED_S)
    subject.agree("not an ill disposed", 0.0)
    subject.agree("not an ills disposed", 1.0)
    assert subject.agree("not an ill disposed young man", AGREED_S) == "not an"
    assert subject.agree("not an ill disposed young man", 2 * AGREED_S) == "not an ill disposed young"


def test_the_newest_word_is_held_back_since_the_audio_may_end_within_it() -> None:
    subject = TurnTranscript(AGREED_S)
    subject.agree("to them.", 0.0)
    assert subject.agree("to them.", AGREED_S) == "to"


def test_words_differ_in_more_than_case_and_punctuation() -> None:
    subject = TurnTranscript(AGREED_S)
    subject.agree("mr John Dapp,", 0.0)
    assert subject.agree("Mr. John, Dashwood had", AGREED_S) == "Mr. John,"


def test_what_was_given_out_stays_when_a_later_hypothesis_changes_its_mind() -> None:
    subject = TurnTranscript(AGREED_S)
    subject.agree("I'd less to be", 0.0)
    assert subject.agree("I'd less to be rather", AGREED_S) == "I'd less to be"
    assert subject.settle("Unless to be rather cold.") == "I'd less to be rather cold."


def test_settling_gives_out_the_rest_and_the_next_segment_follows_it() -> None:
    subject = TurnTranscript(AGREED_S)
    assert subject.settle("He was not.") == "He was not."
    assert subject.settle("") == "He was not."
    subject.agree("An ill disposed", 0.0)
    assert subject.agree("An ill disposed young", AGREED_S) == "He was not. An ill disposed"
    assert subject.settle("An ill-disposed young man.") == "He was not. An ill disposed young man."


def test_words_given_out_from_behind_a_cut_are_not_repeated() -> None:
    subject = TurnTranscript(AGREED_S)
    subject.agree("one two three four five", 0.0)
    assert subject.agree("one two three four five", AGREED_S) == "one two three four"
    assert subject.cut("One two.") == "one two three four"
    assert subject.settle("Three four five six.") == "one two three four five six."


def test_a_hypothesis_that_repeats_words_is_cut_behind_those_given() -> None:
    assert remainder(["no", "no"], ["no", "no", "no"]) == ["no"]


def test_a_shorter_hypothesis_adds_nothing() -> None:
    assert remainder(["one", "two", "three"], ["one", "two"]) == []


@given(WORDS, WORDS)
def test_nothing_is_lost_when_the_beginning_is_unchanged(given_out: list[str], rest: list[str]) -> None:
    assert remainder(given_out, given_out + rest) == rest


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 2.0), WORDS)))
def test_text_only_grows(hypotheses: list[tuple[bool, float, list[str]]]) -> None:
    subject, before, heard_s = TurnTranscript(AGREED_S), "", 0.0
    for settles, later_s, words in hypotheses:
        hypothesis, heard_s = " ".join(words), 0.0 if settles else heard_s + later_s
        after = subject.settle(hypothesis) if settles else subject.agree(hypothesis, heard_s)
        assert after.startswith(before)
        before = after


@pytest.mark.parametrize(
    ("heard", "chosen", "taken"),
    [
        (["an ill-sposed man", "an ill-disposed man", "An ill disposed man."], "an ill-disposed man", 3),
        (["an ill-disposed man", "an ill-sposed man", "An ill disposed man."], "an ill-disposed man", 3),
        (["an ill-disposed man", "An ill disposed man.", "an ill-sposed man"], "an ill-disposed man", 2),
        (["a less to be", "I'd less to be rather", "unless to be rather"], "I'd less to be rather", 3),
        (["", "", "you"], "", 2),
        (["", "you", "thank you"], "you", 3),
        (["one"], "one", 1),
    ],
)
def test_of_three_hypotheses_two_decide_and_else_the_one_nearest_to_the_others(
    heard: list[str], chosen: str, taken: int
) -> None:
    left = iter(heard)
    assert agreed(left) == chosen
    assert len(heard) - len(list(left)) == taken
