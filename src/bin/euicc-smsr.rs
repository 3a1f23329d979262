fn main() -> std::process::ExitCode {
    euicc_push::smsr::main()
}
