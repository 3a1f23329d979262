#[cfg(feature = "demo")]
use euicc_push::demo::EXTENSIONS;
#[cfg(not(feature = "demo"))]
const EXTENSIONS: &[euicc_push::cli::Extension] = &[];

fn main() -> std::process::ExitCode {
    euicc_push::cli::main(EXTENSIONS)
}
