//! `completions`

use clap_complete::Shell;

use super::output::say;

/// Arguments of `completions`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The shell that completes
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the script that a shell reads.
pub(super) fn run(args: &Args, mut command: clap::Command) {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
}
