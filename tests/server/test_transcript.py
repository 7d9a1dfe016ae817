from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.server.transcript import TurnTranscript, remainder

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12)


def test_a_word_is_given_out_when_two_hypotheses_agree_on_it() -> None:
    subject = TurnTranscript()
    assert subject.agree("He was, not") == ""
    assert subject.agree("He was not an") == "He was not"
    assert subject.agree("He was not an ill") == "He was not an"


def test_the_newest_word_is_held_back_since_the_audio_may_end_within_it() -> None:
    subject = TurnTranscript()
    subject.agree("to them.")
    assert subject.agree("to them.") == "to"


def test_words_differ_in_more_than_case_and_punctuation() -> None:
    subject = TurnTranscript()
    subject.agree("mr John Dapp,")
    assert subject.agree("Mr. John, Dashwood had") == "Mr. John,"


def test_what_was_given_out_stays_when_a_later_hypothesis_changes_its_mind() -> None:
    subject = TurnTranscript()
    subject.agree("I'd less to be")
    assert subject.agree("I'd less to be rather") == "I'd less to be"
    assert subject.settle("Unless to be rather cold.") == "I'd less to be rather cold."


def test_settling_gives_out_the_rest_and_the_next_segment_follows_it() -> None:
    subject = TurnTranscript()
    assert subject.settle("He was not.") == "He was not."
    assert subject.settle("") == "He was not."
    subject.agree("An ill disposed")
    assert subject.agree("An ill disposed young") == "He was not. An ill disposed"
    assert subject.settle("An ill-disposed young man.") == "He was not. An ill disposed young man."


def test_words_given_out_from_behind_a_cut_are_not_repeated() -> None:
    subject = TurnTranscript()
    subject.agree("one two three four five")
    assert subject.agree("one two three four five") == "one two three four"
    assert subject.cut("One two.") == "one two three four"
    assert subject.settle("Three four five six.") == "one two three four five six."


def test_a_hypothesis_that_repeats_words_is_cut_behind_those_given() -> None:
    assert remainder(["no", "no"], ["no", "no", "no"]) == ["no"]


def test_a_shorter_hypothesis_adds_nothing() -> None:
    assert remainder(["one", "two", "three"], ["one", "two"]) == []


@given(WORDS, WORDS)
def test_nothing_is_lost_when_the_beginning_is_unchanged(given_out: list[str], rest: list[str]) -> None:
    assert remainder(given_out, given_out + rest) == rest


@given(st.lists(st.tuples(st.booleans(), WORDS)))
def test_text_only_grows(hypotheses: list[tuple[bool, list[str]]]) -> None:
    subject, before = TurnTranscript(), ""
    for settles, words in hypotheses:
        after = (subject.settle if settles else subject.agree)(" ".join(words))
        assert after.startswith(before)
        before = after
