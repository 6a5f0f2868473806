//! A PCI board becomes spans of timeslots.
