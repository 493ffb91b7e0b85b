"""The bundled verbs, one module each. A verb imports what it needs only when it runs."""
