fn main() -> std::process::ExitCode {
    euicc_push::agent::main()
}
