//! `man`

use std::path::PathBuf;

use super::Failure;
use super::output::say;

/// Arguments of `man`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Write a page for each command into this directory instead of printing the first page
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

/// Prints or writes manual pages for `man` to format.
pub(super) fn run(args: &Args, command: clap::Command) -> Result<(), Failure> {
    if let Some(folder) = &args.into {
        let written = clap_mangen::generate_to(command, folder);
        return written.map_err(|error| Failure::file(folder, &error));
    }
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.map_err(|error| Failure::new(1, error.to_string()))?;
    say!("{}", String::from_utf8_lossy(&page).trim_end());
    Ok(())
}
