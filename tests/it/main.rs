//! Whole-house tests: the layering rules, bad input against every decoder, and the programs as processes.

mod layering;
