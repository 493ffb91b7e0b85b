"""Kinds of components, hooks, and the plugins that offer them."""
