"""Kinds of components, hooks, plugins and verbs."""
