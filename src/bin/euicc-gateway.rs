fn main() -> std::process::ExitCode {
    euicc_push::gateway::main()
}
