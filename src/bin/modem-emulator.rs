//! `modem-emulator`: emulated modems on ptys, one network, simulated eUICCs.

use std::process::ExitCode;

fn main() -> ExitCode {
    euicc_push::emulator::main()
}
