import pytest

from adframe.errors import ConfigError, Problem, UserError, did_you_mean


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem(("a", 0, "b"), "is wrong", "x.yaml:3"), "x.yaml:3: a.0.b: is wrong"),
        (Problem((), "is wrong", "x.yaml:3"), "x.yaml:3: is wrong"),
        (Problem(("a",), "is wrong"), "a: is wrong"),
        (Problem((), "is wrong"), "is wrong"),
    ],
)
def test_a_problem_is_one_line(problem, line):
    assert str(problem) == line


def test_a_config_error_is_a_line_per_problem_and_the_users():
    error = ConfigError(Problem((key,), "is wrong") for key in "ab")
    assert str(error) == "a: is wrong\nb: is wrong"
    assert [problem.path for problem in error.problems] == [("a",), ("b",)]
    assert isinstance(error, UserError)


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
