"""One module for each bundled verb. They import what they need when they are called."""
