fn main() -> std::process::ExitCode {
    euicc_push::cli::main()
}
