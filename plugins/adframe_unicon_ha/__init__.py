"""UniCon-HA (Wang et al., ICCV 2023): its loss and its schedule."""
