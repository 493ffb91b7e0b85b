"""A first config for a folder of images: what is there, and how long a run takes here.

Only the templates name bundled components; the code does not.
"""
