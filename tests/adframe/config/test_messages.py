import pytest

from adframe.errors import ConfigError, Problem, UserError, did_you_mean


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem(("a", 0, "b"), "is wrong", "x.yaml:3"), "x.yaml:3: a.0.b: is wrong"),
        (Problem((), "is wrong", "x.yaml:3"), "x.yaml:3: is wrong"),
        (Problem(("a",), "is wrong"), "a: is wrong"),
        (Problem((), "is wrong"), "is wrong"),
        (Problem(("a\n\0",), "'ü\u2028' is wrong"), r"a\n\x00: 'ü\u2028' is wrong"),
    ],
)
def test_a_problem_is_one_line(problem, line):
    assert str(problem) == line


def test_a_config_error_is_a_line_per_problem_and_the_users():
    error = ConfigError(Problem((key,), "is wrong") for key in "ab")
    assert str(error) == "a: is wrong\nb: is wrong"
    assert [problem.path for problem in error.problems] == [("a",), ("b",)]
    assert isinstance(error, UserError)


def test_what_a_terminal_would_obey_is_shown_as_an_escape():
    assert str(UserError("a\x1b[31m\nü\t")) == "a\\x1b[31m\nü\\t"


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("temprature", "; did you mean 'temperature'?"),
        ("temper", "; did you mean 'temperature'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_the_nearest_word_is_suggested_if_any_is_near(word, hint):
    assert did_you_mean(word, ["temperature", "mode"]) == hint
