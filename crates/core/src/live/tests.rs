//! Tests of the whole, against the simulator.
