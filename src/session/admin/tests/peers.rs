//! Each end against a peer that does not keep to the rules.
