"""Methods that learn which transformation an image went through: RotNet, Rot+Trans, GEOM."""
