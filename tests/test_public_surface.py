"""The public surface is frozen: a change of it fails here first (docs/versioning.md)."""

from public_surface import UPDATE, frozen, surface


def test_the_public_surface_is_as_frozen():
    now, before = set(surface()), set(frozen())
    changes = [f"- {item}" for item in sorted(before - now)]
    changes += [f"+ {item}" for item in sorted(now - before)]
    advice = f"If this is intended: {UPDATE}, and describe it in CHANGELOG.md."
    assert not changes, "\n".join(["the public surface has changed:", *changes, advice])


def test_every_part_of_the_surface_is_listed():
    starts = {line.partition(" ")[0] for line in frozen()}
    parts = {"export", "kind", "component", "config", "verb", "option", "hook", "run"}
    assert starts >= parts | {"entry-point", "plugin", "script"}
    assert frozen() == sorted(set(frozen()))
