//! SMPP from end to end: `euicc-gateway` as a process against the SMSC simulator and against other people's software.

mod faults;
mod receipts;
mod rig;
