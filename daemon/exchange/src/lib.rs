//! A simulated public network and PBX at the far end of emulated lines.
